/**
 * Whether the records of PBXs can be read from here, for those who must not wait: a mount that hangs answers no question
 * and refuses none. What has not answered in time cannot be read now. It is not asked again before it has answered: each
 * question holds one of the few threads that all files of this process share.
 */
import type { PbxConnection } from '#contracts/service.ts'
import { pause } from '#server/pipeline/pause.ts'

export type Look = (connection: PbxConnection) => Promise<boolean>

const patienceMs = 1_000

/** `look` with patience: it is answered within `patience` ms, or with false. */
export function patientLook(look: Look, patience = patienceMs): Look {
  const underWay = new Map<string, Promise<boolean>>()
  return async (connection) => {
    if (connection.kind !== 'asterisk_attached') return await look(connection)
    const { cel_path: path } = connection
    const before = underWay.get(path)
    if (before !== undefined) return await before
    const looking = look(connection)
    const answered = new AbortController()
    const given = Promise.race([looking, pause(patience, answered.signal).then(() => false)])
    underWay.set(path, given)
    const forget = () => {
      answered.abort()
      underWay.delete(path)
    }
    looking.then(forget, forget)
    return await given
  }
}
