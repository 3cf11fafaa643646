import { sql } from 'kysely'
import { type Delivery, DeliveryState, type HeldBecause } from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { isoOf, isoOrNull } from '#server/domain/times.ts'
import { idOfNumber, numberOfId } from '#server/store/new-id.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import type { Store } from '#server/store/store.ts'

/** `since` and `until` are epoch milliseconds of creation; `since` belongs to the period, `until` does not. */
export interface DeliveryFilter {
  readonly webhookId?: string | undefined
  readonly state?: DeliveryState | undefined
  readonly eventType?: EventType | undefined
  readonly callUuid?: string | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

/** Strict order, with `block`: an earlier event of the call was given up, and nobody has decided about it. */
const blocked = sql<boolean>`webhook.delivery_order = 'strict' and webhook.on_exhausted = 'block'
  and delivery.call_uuid is not null and exists (
    select 1 from delivery as earlier
    where earlier.webhook_id = delivery.webhook_id and earlier.call_uuid = delivery.call_uuid
      and earlier.call_uuid is not null
      and earlier.state = 'exhausted'
      and earlier.seq < delivery.seq)`

/** Why a delivery that is pending in its row is held, as people see it; null: it is not. */
const heldBecause = sql<HeldBecause | null>`case
  when delivery.state <> 'pending' then null
  when lane.held = 1 then 'webhook_disabled'
  when lane.breaker <> 'closed' then 'breaker_open'
  when ${blocked} then 'earlier_event_failed' end`

const shownState = sql<DeliveryState>`case
  when ${heldBecause} is null then delivery.state else 'held' end`

/** Without the deliveries of deleted webhooks, which have no lane. */
function selectDeliveries(store: Store, accountId: string) {
  return store.read
    .selectFrom('delivery')
    .innerJoin('lane', 'lane.webhook_id', 'delivery.webhook_id')
    .innerJoin('webhook', 'webhook.id', 'delivery.webhook_id')
    .innerJoin('event', 'event.seq', 'delivery.event_seq')
    .select([
      'delivery.seq',
      'delivery.webhook_id',
      'delivery.state',
      'delivery.origin',
      'delivery.attempts',
      'delivery.resends',
      'delivery.due_at',
      'delivery.created_at',
      'delivery.finished_at',
      'event.id as event_id',
      'event.type as event_type',
      'event.call_uuid',
      heldBecause.as('held_because'),
    ])
    .where('delivery.account_id', '=', accountId)
}

type Row = Awaited<ReturnType<ReturnType<typeof selectDeliveries>['executeTakeFirstOrThrow']>>

function deliveryOf(row: Row): Delivery {
  const state = row.held_because === null ? row.state : 'held'
  return {
    id: idOfNumber('delivery', row.seq),
    webhook_id: row.webhook_id,
    event_id: row.event_id,
    event_type: row.event_type,
    call_uuid: row.call_uuid,
    state,
    held_because: row.held_because,
    origin: row.origin,
    attempts: row.attempts,
    resends: row.resends,
    due_at: state === 'pending' ? isoOf(row.due_at) : null,
    created_at: isoOf(row.created_at),
    finished_at: isoOrNull(row.finished_at),
  }
}

/** Null: the account has no such delivery. */
export async function getDelivery(
  store: Store,
  accountId: string,
  id: string,
): Promise<Delivery | null> {
  const seq = numberOfId('delivery', id)
  if (seq === null) return null
  const row = await selectDeliveries(store, accountId)
    .where('delivery.seq', '=', seq)
    .executeTakeFirst()
  return row === undefined ? null : deliveryOf(row)
}

/** Newest first. */
export async function listDeliveries(
  store: Store,
  accountId: string,
  filter: DeliveryFilter,
  page: PageRequest,
): Promise<Page<Delivery>> {
  let query = selectDeliveries(store, accountId)
    .where('delivery.seq', '<', belowOf('deliveries', page.cursor))
    .orderBy('delivery.seq', 'desc')
    .limit(page.limit + 1)
  if (filter.webhookId !== undefined) {
    query = query.where('delivery.webhook_id', '=', filter.webhookId)
  }
  if (filter.state !== undefined) query = query.where(stateIs(filter.state))
  if (filter.eventType !== undefined) query = query.where('event.type', '=', filter.eventType)
  if (filter.callUuid !== undefined) query = query.where('event.call_uuid', '=', filter.callUuid)
  if (filter.since !== undefined) query = query.where('delivery.created_at', '>=', filter.since)
  if (filter.until !== undefined) query = query.where('delivery.created_at', '<', filter.until)
  return pageOfRows('deliveries', page, await query.execute(), deliveryOf)
}

/** Spelled out by state, so that the partial indexes apply. */
function stateIs(state: DeliveryState) {
  switch (state) {
    case 'pending':
      return sql<boolean>`delivery.state = 'pending' and ${heldBecause} is null`
    case 'held':
      return sql<boolean>`delivery.state = 'pending' and ${heldBecause} is not null`
    case 'exhausted':
    case 'cancelled':
      return sql<boolean>`delivery.state in ('exhausted', 'cancelled') and delivery.state = ${state}`
    case 'leased':
    case 'delivered':
      return sql<boolean>`delivery.state = ${state}`
  }
}

/** How many deliveries are in each state; of one webhook, or of the whole account. */
export async function countDeliveries(
  store: Store,
  accountId: string,
  webhookId: string | null,
): Promise<Readonly<Record<DeliveryState, number>>> {
  let query = store.read
    .selectFrom('delivery')
    .innerJoin('lane', 'lane.webhook_id', 'delivery.webhook_id')
    .innerJoin('webhook', 'webhook.id', 'delivery.webhook_id')
    .select([shownState.as('state'), sql<number>`count(*)`.as('count')])
    .where('delivery.account_id', '=', accountId)
    .groupBy(shownState)
  if (webhookId !== null) query = query.where('delivery.webhook_id', '=', webhookId)
  const rows = await query.execute()
  const found = new Map(rows.map((row) => [row.state, row.count]))
  return Object.fromEntries(
    DeliveryState.options.map((state) => [state, found.get(state) ?? 0]),
  ) as Record<DeliveryState, number>
}
