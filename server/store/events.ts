import { sql } from 'kysely'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import { bodyIn, dayOf, readBodies } from '#server/store/partitions.ts'
import type { Db, Store } from '#server/store/store.ts'

/** `since` and `until` are epoch milliseconds of when it happened; `since` belongs to the period, `until` does not. */
export interface EventFilter {
  readonly type?: EventType | undefined
  readonly serviceUuid?: string | undefined
  readonly callUuid?: string | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

interface Row {
  readonly seq: number
  readonly created_at: number
}

/** The events of the rows, in their order. */
async function readEvents(db: Db, rows: readonly Row[]): Promise<readonly Event[]> {
  const wanted = rows.map((row) => ({ seq: row.seq, day: dayOf(row.created_at) }))
  const bodies = await readBodies(db, wanted)
  return rows.map((row) => JSON.parse(bodyIn(bodies, row.seq)) as Event)
}

export async function getEvent(store: Store, accountId: string, id: string): Promise<Event | null> {
  // In one snapshot: retention may drop the partition between two statements.
  return await store.read.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('event')
      .select(['seq', 'created_at'])
      .where('account_id', '=', accountId)
      .where('id', '=', id)
      .execute()
    const [event] = await readEvents(trx, rows)
    return event ?? null
  })
}

/** Newest first, in the order in which they were accepted. */
export async function listEvents(
  store: Store,
  accountId: string,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<Event>> {
  return await store.read
    .transaction()
    .execute(async (trx) => await listEventsIn(trx, accountId, filter, page))
}

async function listEventsIn(
  trx: Db,
  accountId: string,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<Event>> {
  let query = trx
    .selectFrom('event')
    .select(['event.seq', 'event.created_at'])
    .where('event.account_id', '=', accountId)
    .where('event.seq', '<', belowOf('events', page.cursor))
    .orderBy('event.seq', 'desc')
    .limit(page.limit + 1)
  if (filter.type !== undefined) query = query.where('event.type', '=', filter.type)
  if (filter.serviceUuid !== undefined) {
    query = query.where('event.service_uuid', '=', filter.serviceUuid)
  }
  if (filter.callUuid !== undefined) query = query.where('event.call_uuid', '=', filter.callUuid)
  if (filter.since !== undefined) query = query.where('event.occurred_at', '>=', filter.since)
  if (filter.until !== undefined) query = query.where('event.occurred_at', '<', filter.until)
  const rows = await query.execute()
  const events = await readEvents(trx, rows.slice(0, page.limit))
  const bySeq = new Map(events.map((event, i) => [rows[i]?.seq, event]))
  return pageOfRows('events', page, rows, (row) => bySeq.get(row.seq) as Event)
}

/** How many events the account has. */
export async function countEvents(store: Store, accountId: string): Promise<number> {
  const row = await store.read
    .selectFrom('event')
    .select(sql<number>`count(*)`.as('count'))
    .where('account_id', '=', accountId)
    .executeTakeFirstOrThrow()
  return row.count
}
