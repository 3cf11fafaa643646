/** Which product a connection speaks of: the one place that knows them all. */
import { access, constants, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { PbxConnection } from '#contracts/service.ts'
import { type AddressRange, pbxPolicy, whyForbidden } from '#server/domain/address-policy.ts'
import type { AudioKind } from '#server/domain/events/directory.ts'
import type { AgentHub } from '#server/pbx/agent/agent-hub.ts'
import {
  attachedAsterisk,
  attachedRecord,
  managedAsterisk,
} from '#server/pbx/asterisk/asterisk-product.ts'
import { type AudioFolders, openAudioFile } from '#server/pbx/asterisk/audio-files.ts'
import {
  condemnInstance,
  discardInstance,
  finishDiscards,
} from '#server/pbx/asterisk/discard-instance.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { patientTurns } from '#server/pbx/asterisk/patient-turns.ts'
import type { NoAudio, OpenAudio, WantedAudio } from '#server/pbx/audio.ts'
import type { AttachedPbx, ManageablePbx, PbxLog } from '#server/pbx/pbx.ts'

export interface ProductsOptions {
  /** Folder of the managed PBXs, one folder each. */
  readonly folder: string
  /** Finds or gets an Asterisk; asked only when a managed one is to run. */
  readonly asterisk: () => Promise<AsteriskInstallation>
  readonly agents: AgentHub
  /** Where no PBX may be looked for, beside the metadata of clouds. */
  readonly denied: readonly AddressRange[]
  readonly log: PbxLog
}

export interface PbxProducts {
  /** The PBX that the connection of a service leads to. */
  readonly pbxOf: (
    serviceUuid: string,
    connection: PbxConnection,
  ) => Promise<AttachedPbx | ManageablePbx>
  /**
   * Whether this process can read the record of the PBX. A managed one lives where it runs first, an agent ships its own
   * to wherever it is captured; of an attached one the files may be on another machine. Takes as long as its disk.
   */
  readonly isWithinReach: (connection: PbxConnection) => Promise<boolean>
  /** Opens audio that an event of the service told of; whoever gets it closes it. */
  readonly openAudio: (
    serviceUuid: string,
    connection: PbxConnection,
    wanted: WantedAudio,
  ) => Promise<OpenAudio | NoAudio>
  /** The service is about to be deleted: its PBX goes with it, also if we are killed in between. */
  readonly condemn: (serviceUuid: string) => Promise<void>
  /**
   * The service is deleted: removes what a managed PBX of it kept on this machine, voicemail and recordings too.
   * `stopped`: settles when the PBX does not run any more.
   */
  readonly discard: (serviceUuid: string, stopped: Promise<void>) => Promise<void>
  /** Finishes the removals that a crash cut off. `living`: every service that there is. */
  readonly finishDiscards: (living: ReadonlySet<string>) => Promise<void>
}

/**
 * How far the record of an attached PBX is written now: where the capture of a new service begins, whenever it gets to
 * it. Null: the capture finds out, of a managed PBX and an agent, and where the files cannot be read yet.
 */
export async function endOfRecord(connection: PbxConnection): Promise<string | null> {
  if (connection.kind !== 'asterisk_attached') return null
  return await attachedRecord(connection)
    .resume(null)
    .catch(() => null)
}

export function pbxProducts(options: ProductsOptions): PbxProducts {
  const { folder, asterisk, agents, log } = options
  const policy = pbxPolicy(options.denied)
  const audio = patientTurns<OpenAudio | NoAudio>(audioPatienceMs, async (late) => {
    if (typeof late === 'object') await late.handle.close()
  })
  const refuses = (address: string) => whyForbidden(address, policy) !== null
  return {
    pbxOf: async (serviceUuid, connection) => {
      switch (connection.kind) {
        case 'asterisk_managed':
          return await managedAsterisk({
            connection,
            folder: join(folder, serviceUuid),
            asterisk,
            log,
          })
        case 'asterisk_attached':
          return attachedAsterisk(connection, refuses)
        case 'asterisk_agent':
          return agents.open(serviceUuid, connection.trunks)
      }
    },
    isWithinReach,
    openAudio: async (serviceUuid, connection, wanted) => {
      const folders = audioFolders(folder, serviceUuid, connection)
      // What an attached PBX names must not be that of another service.
      const ours =
        connection.kind === 'asterisk_managed' ? null : await realpath(folder).catch(() => null)
      const look = async () => await openAudioFile(folders, wanted, ours)
      const place = folders[wanted.kind === 'recording' ? 'recordings' : 'voicemail'] ?? ''
      return (await audio.take(place, look)) ?? 'unreachable'
    },
    condemn: async (serviceUuid) => await condemnInstance(join(folder, serviceUuid)),
    discard: async (serviceUuid, stopped) =>
      await discardInstance(join(folder, serviceUuid), stopped),
    finishDiscards: async (living) => await finishDiscards(folder, living),
  }
}

/** As long as somebody waits who has clicked on a recording; a disk that sleeps wakes in that time. */
const audioPatienceMs = 10_000

/** Of a managed PBX in the folder where it lives, of an attached one as its connection says. */
function audioFolders(
  folder: string,
  serviceUuid: string,
  connection: PbxConnection,
): AudioFolders {
  switch (connection.kind) {
    case 'asterisk_managed': {
      const { recordings, voicemail } = instanceFolder(join(folder, serviceUuid))
      return { recordings, voicemail }
    }
    case 'asterisk_attached':
      return { recordings: connection.recordings_path, voicemail: connection.voicemail_path }
    case 'asterisk_agent':
      return { recordings: null, voicemail: null }
  }
}

/** Whether there is any use in telling of an address of such audio. */
export function hasAudio(connection: PbxConnection, kind: AudioKind): boolean {
  const folders = audioFolders('', '', connection)
  return folders[kind === 'recording' ? 'recordings' : 'voicemail'] !== null
}

async function isWithinReach(connection: PbxConnection): Promise<boolean> {
  switch (connection.kind) {
    case 'asterisk_managed':
    case 'asterisk_agent':
      return true
    case 'asterisk_attached':
      return await access(connection.cel_path, constants.R_OK).then(
        () => true,
        () => false,
      )
  }
}
