/** What Asterisk is as a product: how a connection to one becomes a PBX. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { PbxConnection } from '#contracts/service.ts'
import { openAmiLink } from '#server/pbx/asterisk/ami-link.ts'
import { openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'
import { asteriskRecord } from '#server/pbx/asterisk/asterisk-record.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { keptPorts } from '#server/pbx/asterisk/ports.ts'
import type { AttachedPbx, ManageablePbx, PbxLog } from '#server/pbx/pbx.ts'

/** About 30,000 calls a file; a week of them for people who look into the past. */
const rotation = { maxBytes: 64 * 1024 * 1024, keepMs: 7 * 86_400_000 }

export interface ManagedAsteriskOptions {
  readonly connection: Extract<PbxConnection, { kind: 'asterisk_managed' }>
  /** Where everything of this PBX lives. */
  readonly folder: string
  readonly asterisk: () => Promise<AsteriskInstallation>
  readonly log: PbxLog
}

export async function managedAsterisk(options: ManagedAsteriskOptions): Promise<ManageablePbx> {
  const { connection, folder, asterisk, log } = options
  const files = instanceFolder(folder)
  // Only a folder that is there can be watched. What is wrong with it, opening the PBX says.
  await mkdir(dirname(files.celFile), { recursive: true, mode: 0o700 }).catch(() => undefined)
  return {
    kind: 'managed',
    record: asteriskRecord({
      celPath: files.celFile,
      queueLogPath: files.queueLogFile,
      beginAt: 'start',
      rotation,
    }),
    open: async (document) => {
      const ports = await keptPorts(folder, connection.sip_port)
      return await openAsteriskPbx({
        folder,
        asterisk: await asterisk(),
        document,
        sip: { host: connection.sip_host, port: ports.sip },
        amiPort: ports.ami,
        rtp: ports.rtp,
        log,
      })
    },
  }
}

export function attachedAsterisk(
  connection: Extract<PbxConnection, { kind: 'asterisk_attached' }>,
): AttachedPbx {
  const { cel_path, queue_log_path, ami, trunks } = connection
  return {
    kind: 'attached',
    record: asteriskRecord({
      celPath: cel_path,
      queueLogPath: queue_log_path,
      beginAt: 'end',
      rotation: null,
    }),
    link: ami === null ? null : openAmiLink(ami),
    trunks: trunks.length > 0 ? new Set(trunks) : null,
  }
}
