/**
 * Fragments that the statements of the queue share; each speaks of the row of `lane` that is being updated.
 *
 * The order of locks, where many transactions write at once (of two that take the same in different order, one is
 * undone after a second of waiting):
 *
 *   a service ── ownerships ── lanes, by id ── deliveries ── webhooks ── the account
 *
 * Whoever changes a delivery has its lane before it. Only `prune.ts` removes deliveries without: it passes over those
 * that somebody has. A webhook that is disabled by its receiver's answer tells it in the same transaction, and so takes the
 * lanes of those who hear of it last: that is rare, and the transaction is repeated where it crosses another.
 */
import { type RawBuilder, sql } from 'kysely'
import type { DialectFacts } from '#server/store/dialect.ts'
import type { Trx } from '#server/store/store.ts'

/**
 * Takes the lane before any of its deliveries. Claims take them in that order; where both lock, the other order would
 * make two nodes wait for each other.
 */
export async function lockLane(trx: Trx, webhookId: string): Promise<void> {
  await sql`update lane set held = held where webhook_id = ${webhookId}`.execute(trx)
}

/**
 * Takes lanes, in one order, before a statement that looks for what waits in them. Where several transactions write at
 * once, a statement that had to wait for a lane would see the lane as it is then, but the deliveries as they were when
 * it began: what was accepted in between would be forgotten until the next event. A statement of its own sees it.
 * Whoever takes several takes them before he changes any delivery of theirs.
 */
export async function lockLanes(
  trx: Trx,
  facts: DialectFacts,
  webhookIds: readonly string[],
): Promise<void> {
  if (facts.singleProcess || webhookIds.length === 0) return
  const ids = JSON.stringify([...new Set(webhookIds)].map((webhook) => ({ webhook })))
  await sql`
    select webhook_id from lane
    where webhook_id in (select r.value ->> 'webhook' from ${facts.rowsOf(ids, 'r')})
    order by webhook_id ${facts.awaitRows('lane')}`.execute(trx)
}

/**
 * Nothing of the lane is leased but by this holder (`Store.holder`): all of it is in the memory of this process. Then, and only then, may this one lease more than the lane has room
 * for and keep to its concurrency and to the order of its calls by itself: the others find no room in the lane.
 */
export const noOthers = (holder: string): RawBuilder<boolean> =>
  sql`(lane.in_flight = 0 or lane.holder = ${holder})`

/** How long a lease outlives the deadline of its request: time for recording what came of it. */
const leaseSpareMs = 30_000

/** When a lease that begins at `now` runs out; epoch milliseconds. */
export function leaseEnd(now: number, timeoutMs: number): number {
  return now + timeoutMs + leaseSpareMs
}

/** Due time of the earliest pending delivery of the lane that is due after the given time; null when there is none. */
export function earliestDue(after: number): RawBuilder<number | null> {
  // Two seeks, one for each turn; a condition over both would scan the lane.
  return sql`(select min(waiting.due) from (
    select min(due_at) as due from delivery
      where webhook_id = lane.webhook_id and state = 'pending' and turn = 0 and due_at > ${after}
    union all
    select min(due_at) from delivery
      where webhook_id = lane.webhook_id and state = 'pending' and turn = 1 and due_at > ${after}
  ) as waiting)`
}

/** Until when the breaker of the lane lets nothing through, as it stands in the row; null: it lets through. */
const openUntil: RawBuilder<number | null> =
  sql`case when lane.breaker = 'open' then lane.breaker_until end`

/**
 * When the lane should be looked at after something happened to it: at the earliest pending delivery, but never
 * before `now`, and not while its breaker is open (`until`, for an update that changes the breaker with it). A lane that
 * has just been served goes to the end of the line although its oldest delivery has been due for a week: that is what
 * makes the line fair.
 */
export function dueAgain(
  now: number,
  until: RawBuilder<number | null> = openUntil,
): RawBuilder<number | null> {
  return sql`case when lane.held = 1 then null else (
    select case when earliest.due < earliest.first then earliest.first else earliest.due end
    from (select ${earliestDue(-1)} as due,
      case when ${until} > ${now} then ${until} else ${now} end as first) as earliest
  ) end`
}

/** Names the TLS identity of the webhook `w` of the account `a`; null: the usual one. */
export const tlsVersion: RawBuilder<string | null> = sql`
  case when a.authorities_version is null and w.client_certificate_version is null then null
    else coalesce(a.authorities_version, '') || ' ' || coalesce(w.client_certificate_version, '')
  end`

/** Names the settings of the request of the webhook `w` of the account `a`; null: the plain ones. */
export const requestVersion: RawBuilder<string | null> = sql`
  case when a.hangup_causes_version is null then w.request_version
    else coalesce(w.request_version, '') || ' ' || a.hangup_causes_version
  end`

/**
 * Which lanes a claim may take from beside being due: those with room. While a breaker is not closed, one request at
 * a time: the probe, and not before what was under way when it opened has ended.
 */
export const hasRoom: RawBuilder<boolean> = sql`lane.in_flight < lane.max_in_flight
  and (lane.breaker = 'closed' or lane.in_flight = 0)`
