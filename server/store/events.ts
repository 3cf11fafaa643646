import { type RawBuilder, sql } from 'kysely'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { callWindow, firstPlace } from '#server/store/call-numbers.ts'
import { firstBefore } from '#server/store/page.ts'
import { bodyIn, dayOf, readBodies } from '#server/store/partitions.ts'
import { inSnapshot } from '#server/store/snapshot.ts'
import type { Db, Store } from '#server/store/store.ts'
import { type Walk, type Window, walkPage, windowSize } from '#server/store/walk.ts'

/** `since` and `until` are epoch milliseconds of when it happened; `since` belongs to the period, `until` does not. */
export interface EventFilter {
  readonly type?: EventType | undefined
  readonly serviceUuid?: string | undefined
  readonly callUuid?: string | undefined
  /** Of calls from or to one of these, as `searchKeysOf` makes them. */
  readonly numberKeys?: readonly string[] | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

interface Row {
  readonly seq: number
  readonly created_at: number
}

interface FoundRow extends Row {
  readonly occurred_at: number
  /** The first event of its call, in a search by number. */
  readonly call_seq: number
  readonly call_began_at: number
  readonly body: string
}

/** With their bodies; in the transaction that found them, since retention may drop the partition after it. */
async function withBodies<R extends Row>(
  db: Db,
  rows: readonly R[],
): Promise<(R & { readonly body: string })[]> {
  const wanted = rows.map((row) => ({ seq: row.seq, day: dayOf(row.created_at) }))
  const bodies = await readBodies(db, wanted)
  return rows.map((row) => ({ ...row, body: bodyIn(bodies, row.seq) }))
}

const eventOf = ({ body }: { readonly body: string }): Event => JSON.parse(body) as Event

export async function getEvent(store: Store, accountId: string, id: string): Promise<Event | null> {
  return await inSnapshot(store, async (trx) => {
    const rows = await trx
      .selectFrom('event')
      .select(['seq', 'created_at'])
      .where('account_id', '=', accountId)
      .where('id', '=', id)
      .execute()
    const [event] = await withBodies(trx, rows)
    return event === undefined ? null : eventOf(event)
  })
}

/** Newest first by when they happened; those of a number newest call first. */
export async function listEvents(
  store: Store,
  accountId: string,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<Event>> {
  const byNumber = filter.numberKeys !== undefined
  const walk = byNumber ? walkNumbers(store, accountId, filter) : walkTime(store, accountId, filter)
  // Two lists with places of their own, so two names.
  const list = byNumber ? 'events-of-number' : 'events'
  const { items, next_cursor } = await walkPage(list, walk, page)
  return { items: items.map(eventOf), next_cursor }
}

/** What an index does not answer by itself. */
function conditionsOf({ type, serviceUuid, callUuid }: EventFilter): RawBuilder<unknown>[] {
  const all: RawBuilder<unknown>[] = []
  if (type !== undefined) all.push(sql`event.type = ${type}`)
  if (serviceUuid !== undefined) all.push(sql`event.service_uuid = ${serviceUuid}`)
  if (callUuid !== undefined) all.push(sql`event.call_uuid = ${callUuid}`)
  return all
}

function periodOf({ since, until }: EventFilter): RawBuilder<unknown>[] {
  const all: RawBuilder<unknown>[] = []
  if (since !== undefined) all.push(sql`event.occurred_at >= ${since}`)
  if (until !== undefined) all.push(sql`event.occurred_at < ${until}`)
  return all
}

const and = (conditions: readonly RawBuilder<unknown>[]) =>
  conditions.length === 0 ? sql`` : sql`and ${sql.join(conditions, sql` and `)}`

function walkTime(store: Store, accountId: string, filter: EventFilter): Walk<FoundRow> {
  const conditions = conditionsOf(filter)
  // The events of one call are few, and sorted when found. The expression keeps SQLite from the index of the list,
  // which it would walk to the end for them.
  const byCall = filter.callUuid !== undefined
  const account = byCall ? sql`(event.account_id || '')` : sql`event.account_id`
  const inWindows = conditions.length > 0 && !byCall
  return {
    first: firstBefore(filter.until),
    placeOf: (row) => [row.occurred_at, row.seq],
    read: async (from, limit) =>
      await inSnapshot(store, async (trx): Promise<Window<FoundRow>> => {
        const below = sql`${account} = ${accountId} and (event.occurred_at, event.seq) < (${sql.join(from)}) ${and(periodOf(filter))}`
        const order = sql`order by event.occurred_at desc, event.seq desc`
        const end = inWindows
          ? (
              await sql<{ occurred_at: number; seq: number }>`
                select event.occurred_at, event.seq from event
                where ${below} ${order} limit 1 offset ${windowSize}`.execute(trx)
            ).rows[0]
          : undefined
        const window =
          end === undefined
            ? []
            : [sql`(event.occurred_at, event.seq) >= (${end.occurred_at}, ${end.seq})`]
        const found = await sql<Omit<FoundRow, 'body'>>`
          select event.seq, event.created_at, event.occurred_at, event.seq as call_seq,
            event.created_at as call_began_at from event
          where ${below} ${and([...window, ...conditions])} ${order} limit ${limit}`.execute(trx)
        return {
          rows: await withBodies(trx, found.rows),
          next: end === undefined ? null : [end.occurred_at, end.seq],
        }
      }),
  }
}

function walkNumbers(store: Store, accountId: string, filter: EventFilter): Walk<FoundRow> {
  const keys = filter.numberKeys ?? []
  const search = { accountId, keys, lastDay: null }
  return {
    first: firstPlace,
    placeOf: (row) => [dayOf(row.call_began_at), row.call_seq, row.seq],
    read: async (from, limit) =>
      await inSnapshot(
        store,
        async (trx) =>
          await callWindow(trx, search, from, async (calls, below) => {
            const found = await sql<Omit<FoundRow, 'body'>>`
              select event.seq, event.created_at, event.occurred_at, began.seq as call_seq,
                began.created_at as call_began_at
              from event as began cross join event
              where began.seq in (${sql.join(calls)}) and event.call_uuid = began.call_uuid
                and event.account_id = ${accountId}
                and (began.seq, event.seq) < (${below.call}, ${below.row})
                ${and([...conditionsOf(filter), ...periodOf(filter)])}
              order by began.seq desc, event.seq desc limit ${limit}`.execute(trx)
            return await withBodies(trx, found.rows)
          }),
      ),
  }
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
