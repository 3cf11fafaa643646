import { sql } from 'kysely'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import type { Store } from '#server/store/store.ts'

/** `since` and `until` are epoch milliseconds of when it happened; `since` belongs to the period, `until` does not. */
export interface EventFilter {
  readonly type?: EventType | undefined
  readonly serviceUuid?: string | undefined
  readonly callUuid?: string | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

const eventOf = (row: { readonly body: string }): Event => JSON.parse(row.body) as Event

export async function getEvent(store: Store, accountId: string, id: string): Promise<Event | null> {
  const row = await store.read
    .selectFrom('event')
    .innerJoin('event_body', 'event_body.event_seq', 'event.seq')
    .select('event_body.body')
    .where('event.account_id', '=', accountId)
    .where('event.id', '=', id)
    .executeTakeFirst()
  return row === undefined ? null : eventOf(row)
}

/** Newest first, in the order in which they were accepted. */
export async function listEvents(
  store: Store,
  accountId: string,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<Event>> {
  let query = store.read
    .selectFrom('event')
    .innerJoin('event_body', 'event_body.event_seq', 'event.seq')
    .select(['event.seq', 'event_body.body'])
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
  return pageOfRows('events', page, await query.execute(), eventOf)
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
