/** What Asterisk is as a product: how a connection to one becomes a PBX. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { PbxConnection } from '#contracts/service.ts'
import { openAmiLink } from '#server/pbx/asterisk/ami-link.ts'
import { type AsteriskPbx, openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'
import { asteriskRecord } from '#server/pbx/asterisk/asterisk-record.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { rotateLogs } from '#server/pbx/asterisk/log-rotation.ts'
import { keptPorts } from '#server/pbx/asterisk/ports.ts'
import type { AttachedPbx, ManageablePbx, PbxLog, PbxRecord } from '#server/pbx/pbx.ts'

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
  let opened: AsteriskPbx | null = null
  return {
    kind: 'managed',
    record: asteriskRecord({
      celPath: files.celFile,
      queueLogPath: files.queueLogFile,
      beginAt: 'start',
      rotate: async (read, now) => {
        await rotateLogs(files, read, opened, now).catch((error: unknown) => {
          log.warn({ folder, err: error }, 'the logs of the PBX were not rotated, trying again')
        })
      },
    }),
    open: async (document) => {
      const ports = await keptPorts(folder, connection.sip_port)
      opened = await openAsteriskPbx({
        folder,
        asterisk: await asterisk(),
        document,
        sip: { host: connection.sip_host, port: ports.sip },
        amiPort: ports.ami,
        rtp: ports.rtp,
        log,
      })
      return opened
    },
  }
}

type AttachedConnection = Extract<PbxConnection, { kind: 'asterisk_attached' }>

export function attachedRecord({ cel_path, queue_log_path }: AttachedConnection): PbxRecord {
  return asteriskRecord({
    celPath: cel_path,
    queueLogPath: queue_log_path,
    beginAt: 'end',
    rotate: null,
  })
}

/** `refuses`: addresses that its AMI must not be looked for at. */
export function attachedAsterisk(
  connection: AttachedConnection,
  refuses: (address: string) => boolean,
): AttachedPbx {
  const { ami, trunks } = connection
  return {
    kind: 'attached',
    record: attachedRecord(connection),
    link: ami === null ? null : openAmiLink({ ...ami, refuses }),
    linkName: 'manager interface',
    trunks: trunks.length > 0 ? new Set(trunks) : null,
  }
}
