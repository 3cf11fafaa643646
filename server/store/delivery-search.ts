import { type RawBuilder, sql } from 'kysely'
import type { AttemptError, Delivery, DeliveryState } from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { callWindow, firstPlace } from '#server/store/call-numbers.ts'
import {
  type DeliveryRow,
  deliveryColumns,
  deliveryJoins,
  deliveryOf,
  stateIs,
} from '#server/store/deliveries.ts'
import { isLate, lateMs } from '#server/store/late-deliveries.ts'
import { firstBefore, type Place } from '#server/store/page.ts'
import { dayOf } from '#server/store/partitions.ts'
import { inSnapshot } from '#server/store/snapshot.ts'
import type { Db, Store } from '#server/store/store.ts'
import { type Walk, type Window, walkPage, windowSize } from '#server/store/walk.ts'

/** From the one status to the other, both with it. */
export interface StatusRange {
  readonly from: number
  readonly to: number
}

/** `since` and `until` are epoch milliseconds of creation; `since` belongs to the period, `until` does not. */
export interface DeliveryFilter {
  readonly webhookId?: string | undefined
  readonly state?: DeliveryState | undefined
  readonly eventType?: EventType | undefined
  readonly eventId?: string | undefined
  readonly serviceUuid?: string | undefined
  readonly callUuid?: string | undefined
  /** Of calls from or to one of these, as `searchKeysOf` makes them. */
  readonly numberKeys?: readonly string[] | undefined
  /** Of the last attempt. */
  readonly status?: StatusRange | undefined
  /** Of the last attempt. */
  readonly error?: AttemptError | undefined
  /** `at_all`: at least one attempt was made; `in_vain`: at least one that failed. */
  readonly tried?: 'at_all' | 'in_vain' | undefined
  /** Those that may have an attempt that was made since, epoch ms, whenever they were created themselves. */
  readonly triedSince?: number | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

/** What a search found, with the first event of its call where it went by number. */
export interface FoundDelivery extends DeliveryRow {
  readonly call_seq: number
  readonly call_began_at: number
}

/** Newest first; those of a number newest call first. */
export async function listDeliveries(
  store: Store,
  accountId: string,
  filter: DeliveryFilter,
  page: PageRequest,
): Promise<Page<Delivery>> {
  const walk = walkDeliveries(store, accountId, filter)
  const { items, next_cursor } = await walkPage(`deliveries${walk.name}`, walk, page)
  return { items: items.map(deliveryOf), next_cursor }
}

interface DeliveryWalk extends Walk<FoundDelivery> {
  /** Tells apart walks whose places mean different things. */
  readonly name: '' | '-of-number'
  /** A window within a transaction that is there already. */
  readonly readIn: (db: Db, from: Place, limit: number) => Promise<Window<FoundDelivery>>
}

/** The way through the deliveries that the filter asks for which reads the fewest rows. */
export function walkDeliveries(
  store: Store,
  accountId: string,
  filter: DeliveryFilter,
): DeliveryWalk {
  const byNumber = filter.numberKeys !== undefined
  const byEvent = filter.callUuid !== undefined || filter.eventId !== undefined
  const readIn: DeliveryWalk['readIn'] = byNumber
    ? (db, from, limit) => readOfCalls(db, accountId, filter, from, limit)
    : byEvent
      ? (db, from, limit) => readOfEvents(db, accountId, filter, from, limit)
      : (db, from, limit) => readByTime(db, accountId, filter, from, limit)
  return {
    name: byNumber ? '-of-number' : '',
    first: byNumber ? firstPlace : firstBefore(filter.until),
    placeOf: (row) =>
      byNumber ? [dayOf(row.call_began_at), row.call_seq, row.seq] : [row.created_at, row.seq],
    readIn,
    read: async (from, limit) =>
      await inSnapshot(store, async (trx) => await readIn(trx, from, limit)),
  }
}

const last = Number.MAX_SAFE_INTEGER
const all = (conditions: readonly RawBuilder<unknown>[]) => sql.join(conditions, sql` and `)
const newestFirst = sql`order by delivery.created_at desc, delivery.seq desc`
const below = ([at = last, seq = last]: Place) =>
  sql`(delivery.created_at, delivery.seq) < (${at}, ${seq})`
/** Where the rows of the list stand for themselves. */
const noCall = sql`delivery.event_seq as call_seq, event.created_at as call_began_at`

/** What no index answers; `held` and the like ask the lane and the webhook too. */
function conditionsOf(filter: DeliveryFilter): RawBuilder<unknown>[] {
  const { state, eventType, eventId, serviceUuid, callUuid, status, error, tried, triedSince } =
    filter
  const found: RawBuilder<unknown>[] = []
  if (state !== undefined) found.push(stateIs(state))
  if (eventType !== undefined) found.push(sql`event.type = ${eventType}`)
  if (eventId !== undefined) found.push(sql`event.id = ${eventId}`)
  if (serviceUuid !== undefined) found.push(sql`event.service_uuid = ${serviceUuid}`)
  if (callUuid !== undefined) found.push(sql`event.call_uuid = ${callUuid}`)
  if (error !== undefined) found.push(sql`delivery.last_error = ${error}`)
  if (status !== undefined) {
    found.push(sql`delivery.last_status >= ${status.from} and delivery.last_status <= ${status.to}`)
  }
  if (tried === 'at_all') found.push(sql`delivery.attempts > 0`)
  if (tried === 'in_vain') {
    found.push(sql`(delivery.last_error is not null or delivery.attempts > 1)`)
  }
  if (triedSince !== undefined) {
    found.push(sql`(delivery.finished_at is null or delivery.finished_at >= ${triedSince})`)
  }
  return found
}

function periodOf({ since, until }: DeliveryFilter): RawBuilder<unknown>[] {
  const found: RawBuilder<unknown>[] = []
  if (since !== undefined) found.push(sql`delivery.created_at >= ${since}`)
  if (until !== undefined) found.push(sql`delivery.created_at < ${until}`)
  return found
}

const ofWebhook = ({ webhookId }: DeliveryFilter) =>
  webhookId === undefined ? [] : [sql`delivery.webhook_id = ${webhookId}`]

interface Access {
  /** Conditions that one index answers in the order of the list. */
  readonly within: readonly RawBuilder<unknown>[]
  /** Looked at row by row. */
  readonly rest: readonly RawBuilder<unknown>[]
}

/**
 * Spelled as the partial indexes are: what failed is little of all there is. SQLite takes the index that these
 * conditions leave it, so each way has those of one index only.
 */
function accessOf(accountId: string, filter: DeliveryFilter): Access {
  const { state, webhookId, status, error } = filter
  const account = sql`delivery.account_id = ${accountId}`
  const rest = conditionsOf(filter)
  if (state === 'exhausted' || state === 'cancelled') {
    const given = sql`delivery.state in ('exhausted', 'cancelled')`
    return { within: [account, given], rest: [...rest, ...ofWebhook(filter)] }
  }
  if (error !== undefined || (status !== undefined && status.from >= 300)) {
    const failed = sql`delivery.last_error is not null`
    return { within: [account, failed], rest: [...rest, ...ofWebhook(filter)] }
  }
  return webhookId === undefined ? { within: [account], rest } : { within: ofWebhook(filter), rest }
}

/**
 * Those that were tried since some time are made since, or little before; or they are late, of which there is an index of
 * its own. So they are read in two parts, one behind the other.
 */
async function readByTime(
  db: Db,
  accountId: string,
  filter: DeliveryFilter,
  from: Place,
  limit: number,
): Promise<Window<FoundDelivery>> {
  if (filter.webhookId !== undefined && !(await hasWebhook(db, accountId, filter.webhookId))) {
    return { rows: [], next: null }
  }
  const access = accessOf(accountId, filter)
  if (filter.triedSince === undefined) return await readWindow(db, filter, access, from, limit)
  const inTime = Math.max(filter.triedSince - lateMs, 0)
  const [at = last] = from
  if (at > inTime) {
    const recent = sql`delivery.created_at >= ${inTime}`
    const within = [...access.within, recent]
    const window = await readWindow(db, filter, { ...access, within }, from, limit)
    return { ...window, next: window.next ?? [inTime, 0] }
  }
  const within = [sql`delivery.account_id = ${accountId}`, isLate]
  const rest = [...conditionsOf(filter), ...ofWebhook(filter)]
  return await readWindow(db, filter, { within, rest }, from, limit)
}

async function readWindow(
  db: Db,
  filter: DeliveryFilter,
  { within, rest }: Access,
  from: Place,
  limit: number,
): Promise<Window<FoundDelivery>> {
  const range = all([...within, below(from), ...periodOf(filter)])
  const end = rest.length === 0 ? undefined : await endOfWindow(db, range)
  const window =
    end === undefined
      ? []
      : [sql`(delivery.created_at, delivery.seq) >= (${end.created_at}, ${end.seq})`]
  // In this order of the tables whatever a database thinks of them: that is what cross join says to SQLite.
  const found = await sql<FoundDelivery>`
    select ${deliveryColumns}, ${noCall}
    from delivery cross join lane cross join webhook cross join event
    where ${all([range, ...window, deliveryJoins, ...rest])}
    ${newestFirst} limit ${limit}`.execute(db)
  return { rows: found.rows, next: end === undefined ? null : [end.created_at, end.seq] }
}

/** The last row of a window of so many; undefined: fewer are left. Read from the index alone. */
async function endOfWindow(db: Db, range: RawBuilder<unknown>) {
  const found = await sql<{ created_at: number; seq: number }>`
    select delivery.created_at, delivery.seq from delivery where ${range}
    ${newestFirst} limit 1 offset ${windowSize}`.execute(db)
  return found.rows[0]
}

async function hasWebhook(db: Db, accountId: string, id: string): Promise<boolean> {
  const webhook = await db
    .selectFrom('webhook')
    .select('id')
    .where('account_id', '=', accountId)
    .where('id', '=', id)
    .executeTakeFirst()
  return webhook !== undefined
}

/** A call has some ten events, an event one delivery for each webhook that it fires: sorted when found. */
async function readOfEvents(
  db: Db,
  accountId: string,
  filter: DeliveryFilter,
  from: Place,
  limit: number,
): Promise<Window<FoundDelivery>> {
  const conditions = [
    sql`event.account_id = ${accountId}`,
    deliveryJoins,
    below(from),
    ...conditionsOf(filter),
    ...ofWebhook(filter),
    ...periodOf(filter),
  ]
  const found = await sql<FoundDelivery>`
    select ${deliveryColumns}, ${noCall}
    from event cross join delivery cross join lane cross join webhook
    where ${all(conditions)} ${newestFirst} limit ${limit}`.execute(db)
  return { rows: found.rows, next: null }
}

async function readOfCalls(
  db: Db,
  accountId: string,
  filter: DeliveryFilter,
  from: Place,
  limit: number,
): Promise<Window<FoundDelivery>> {
  const search = {
    accountId,
    keys: filter.numberKeys ?? [],
    lastDay: filter.until === undefined ? null : dayOf(filter.until),
  }
  return await callWindow(db, search, from, async (calls, place) => {
    const conditions = [
      sql`began.seq in (${sql.join(calls)})`,
      sql`event.call_uuid = began.call_uuid and event.account_id = ${accountId}`,
      sql`(began.seq, delivery.seq) < (${place.call}, ${place.row})`,
      deliveryJoins,
      ...conditionsOf(filter),
      ...ofWebhook(filter),
      ...periodOf(filter),
    ]
    const found = await sql<FoundDelivery>`
      select ${deliveryColumns}, began.seq as call_seq, began.created_at as call_began_at
      from event as began cross join event cross join delivery cross join lane cross join webhook
      where ${all(conditions)}
      order by began.seq desc, delivery.seq desc limit ${limit}`.execute(db)
    return found.rows
  })
}
