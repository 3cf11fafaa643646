/** What events told of audio: recordings that are complete, voicemail messages that were left. */
import { sql } from 'kysely'
import type { EventOf } from '#contracts/events/catalogue.ts'
import { bodyIn, dayOf, readBodies } from '#server/store/partitions.ts'
import { inSnapshot } from '#server/store/snapshot.ts'
import type { Db, Store } from '#server/store/store.ts'

const audioTypes = [
  'recording.inbound.completed',
  'recording.outbound.completed',
  'voicemail.left',
] as const
export type AudioEvent = EventOf<(typeof audioTypes)[number]>

/** More than any call has that people make. */
const most = 1_000

interface Row {
  readonly seq: number
  readonly created_at: number
}

async function eventsOf(trx: Db, rows: readonly Row[]): Promise<readonly AudioEvent[]> {
  const places = rows.map((row) => ({ seq: row.seq, day: dayOf(row.created_at) }))
  const bodies = await readBodies(trx, places)
  return rows.map((row) => JSON.parse(bodyIn(bodies, row.seq)) as AudioEvent)
}

/** Oldest first; null: the account has no event of such a call. */
export async function listAudioOfCall(
  store: Store,
  accountId: string,
  callUuid: string,
): Promise<readonly AudioEvent[] | null> {
  return await inSnapshot(store, async (trx) => {
    // The expression keeps SQLite from the index of the account's events: those of one call are few.
    const ofCall = sql`call_uuid = ${callUuid} and (account_id || '') = ${accountId}`
    const any = await sql`select seq from event where ${ofCall} limit 1`.execute(trx)
    if (any.rows.length === 0) return null
    const { rows } = await sql<Row>`
      select seq, created_at from event
      where ${ofCall} and type in (${sql.join(audioTypes)})
      order by seq limit ${most}`.execute(trx)
    return await eventsOf(trx, rows)
  })
}

/** Null: there is no such event, or it tells of no audio. */
export async function getAudioEvent(store: Store, id: string): Promise<AudioEvent | null> {
  return await inSnapshot(store, async (trx) => {
    const rows = await trx
      .selectFrom('event')
      .select(['seq', 'created_at'])
      .where('id', '=', id)
      .where('type', 'in', audioTypes)
      .execute()
    const [event] = await eventsOf(trx, rows)
    return event ?? null
  })
}
