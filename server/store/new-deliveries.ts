/**
 * The deliveries of new events. Most wait to be claimed for no time at all: where the webhook is well, nothing of it
 * waits and there is room, they are leased in the very transaction that makes them, and handed to the deliverer with
 * what the caller knows anyway. That saves the claim, its commit and reading the body back.
 */
import { sql } from 'kysely'
import type { Insert, Update } from '#server/store/batch.ts'
import { type ClaimedWebhook, holderOf } from '#server/store/claim.ts'
import { leaseEnd, noOthers } from '#server/store/lanes.ts'
import type { StoredMatching } from '#server/store/matching.ts'
import { aheadOf, isSlow } from '#server/store/pace.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Trx } from '#server/store/store.ts'
import { together } from '#server/store/together.ts'

export interface NewDelivery {
  readonly accountId: string
  readonly webhook: StoredMatching
  readonly event: number
  readonly day: number
  /** Null: not an event of a call, or of a webhook that asks for no order. */
  readonly call: string | null
  /** Epoch milliseconds. */
  readonly now: number
  /** Which acceptance, and which of its events. */
  readonly from: readonly [number, number]
}

/** What a deliverer would take at once. */
export interface Lead {
  readonly claimId: string
  /** Deliveries, of all webhooks together. */
  readonly limit: number
  /** As in `ClaimRequest`. */
  readonly ahead: number
}

/** A delivery that was leased when it was made. */
export interface Handover {
  readonly from: readonly [number, number]
  readonly deliverySeq: number
  readonly eventDay: number
  readonly call: string | null
  readonly webhook: ClaimedWebhook
}

export interface LaneState {
  readonly webhook_id: string
  readonly max_in_flight: number
  readonly in_flight: number
  /** The version of its account's webhooks (`matching.ts`), as of after the lane was locked. */
  readonly matching_version: number
}

/** A new delivery, and what its deliverer is told of the webhook; null: it is not leased but waits. */
export interface Chosen {
  readonly delivery: NewDelivery
  readonly webhook: ClaimedWebhook | null
}

export const nothingLeased = (deliveries: readonly NewDelivery[]): readonly Chosen[] =>
  deliveries.map((delivery) => ({ delivery, webhook: null }))

/**
 * In the order of the events: `delivery.seq` is what the order within a call goes by. The caller has locked the lanes
 * (`lockLanes`). `claimId`: of those that are leased.
 */
export async function insertDeliveries(
  trx: Trx,
  context: ProcedureContext,
  chosen: readonly Chosen[],
  claimId: string | null = null,
): Promise<readonly Handover[]> {
  if (chosen.length === 0) return []
  const rows = chosen.map(({ delivery: d, webhook }) => [
    d.accountId,
    d.webhook.id,
    d.event,
    d.day,
    d.call,
    webhook === null ? 'pending' : 'leased',
    0,
    d.now + d.webhook.delayMs,
    0,
    webhook === null ? null : claimId,
    webhook === null ? null : leaseEnd(d.now, webhook.timeoutMs),
    d.now,
  ])
  const [numbers] = await together(
    context.batch.insert(trx, insertDelivery, rows),
    tellLanes(trx, context, chosen, claimId),
  )
  return chosen.flatMap(({ delivery, webhook }, i) => {
    const deliverySeq = numbers[i] ?? null
    if (webhook === null || deliverySeq === null) return []
    const { from, day, call } = delivery
    return [{ from, deliverySeq, eventDay: day, call: call && `0 ${call}`, webhook }]
  })
}

const insertDelivery: Insert = {
  into: 'delivery',
  columns: {
    account_id: 'text',
    webhook_id: 'text',
    event_seq: 'bigint',
    event_day: 'integer',
    call_uuid: 'text',
    state: 'text',
    turn: 'integer',
    due_at: 'bigint',
    attempts: 'integer',
    claim_id: 'text',
    lease_until: 'bigint',
    created_at: 'bigint',
  },
  numberedBy: ['event_seq', 'webhook_id'],
}

/**
 * Those of the deliveries' lanes that have nothing to wait for: none held, failing, limited, with first tries due, or
 * that another process is sending to.
 */
export async function openLanes(
  trx: Trx,
  { facts }: ProcedureContext,
  deliveries: readonly NewDelivery[],
  lead: Lead,
): Promise<readonly LaneState[]> {
  if (deliveries.length === 0) return []
  const ids = [...new Set(deliveries.map((d) => d.webhook.id))].map((id) => ({ id }))
  const lanes = await sql<LaneState>`
    select lane.webhook_id, lane.max_in_flight, lane.in_flight, a.matching_version
    from lane join webhook as w on w.id = lane.webhook_id join account as a on a.id = w.account_id
    where lane.webhook_id in (
        select r.value ->> 'id' from ${facts.rowsOf(JSON.stringify(ids), 'r')})
      and held = 0 and failures = 0 and breaker = 'closed' and rate_per_second is null
      and ${noOthers(holderOf(lead.claimId))}
      and not exists (
        select 1 from delivery
        where delivery.webhook_id = lane.webhook_id and delivery.state = 'pending'
          and delivery.turn = 0)`.execute(trx)
  return lanes.rows
}

/**
 * In the order of the deliveries: once one of a lane has to wait, all that follow in it wait behind it. So does what was
 * matched before its webhook was changed, in a transaction that had the lane first: the claim reads it as it is now.
 */
export function choose(
  { pace }: ProcedureContext,
  deliveries: readonly NewDelivery[],
  lanes: readonly LaneState[],
  { limit, ahead }: Lead,
): readonly Chosen[] {
  let left = limit
  const rooms = new Map(
    lanes.map(({ webhook_id: id, max_in_flight: most, in_flight: now, matching_version }) => [
      id,
      { concurrency: most, room: most - now + aheadOf(pace, id, most, ahead), matching_version },
    ]),
  )
  // One object for each: all that go in one message to another thread are one there too.
  const webhooks = new Map<string, ClaimedWebhook>()
  return deliveries.map((delivery) => {
    const { id, delayMs, order, claimed, version } = delivery.webhook
    const lane = rooms.get(id)
    const now = delayMs === 0 && order !== 'strict' && !isSlow(pace, id)
    const present = lane?.matching_version === version
    if (lane === undefined || lane.room <= 0 || left <= 0 || !now || !present) {
      rooms.delete(id)
      return { delivery, webhook: null }
    }
    lane.room -= 1
    left -= 1
    const webhook = webhooks.get(id) ?? {
      ...claimed,
      ...{ concurrency: lane.concurrency, troubled: false, probe: false },
    }
    webhooks.set(id, webhook)
    return { delivery, webhook }
  })
}

/** Not before the pause of an open breaker is over, or the claim would look at the lane again and again. */
const moveLane: Update = {
  columns: { webhook: 'text', leased: 'integer', due: 'bigint', holder: 'text' },
  statement: (of, from) => `
    update lane set in_flight = in_flight + ${of('leased')},
      holder = case when ${of('leased')} > 0 then ${of('holder')} else lane.holder end,
      next_due = case
        when ${of('due')} is null or held = 1 or next_due <= ${of('due')} then next_due
        when breaker = 'open' and breaker_until > ${of('due')} then breaker_until
        else ${of('due')} end
    ${from}
    where lane.webhook_id = ${of('webhook')}`,
}

async function tellLanes(
  trx: Trx,
  { batch }: ProcedureContext,
  chosen: readonly Chosen[],
  claimId: string | null,
): Promise<void> {
  const holder = claimId === null ? null : holderOf(claimId)
  const lanes = Map.groupBy(chosen, ({ delivery }) => delivery.webhook.id)
  const rows = [...lanes].map(([id, group]) => {
    const dues = group.flatMap(({ delivery, webhook }) =>
      webhook === null ? [delivery.now + delivery.webhook.delayMs] : [],
    )
    const leased = group.length - dues.length
    return [id, leased, dues.length === 0 ? null : Math.min(...dues), holder]
  })
  await batch.update(trx, moveLane, rows)
}
