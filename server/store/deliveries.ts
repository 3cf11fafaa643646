import { sql } from 'kysely'
import { type Delivery, DeliveryState } from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { isoOf, isoOrNull } from '#server/domain/times.ts'
import { dueAgain } from '#server/store/lanes.ts'
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

/** As people see it: what is pending in the lane of a disabled webhook is held. */
const shownState = sql<DeliveryState>`case
  when delivery.state = 'pending' and lane.held = 1 then 'held' else delivery.state end`

/** Without the deliveries of deleted webhooks, which have no lane. */
function selectDeliveries(store: Store, accountId: string) {
  return store.read
    .selectFrom('delivery')
    .innerJoin('lane', 'lane.webhook_id', 'delivery.webhook_id')
    .innerJoin('event', 'event.seq', 'delivery.event_seq')
    .select([
      'delivery.seq',
      'delivery.webhook_id',
      'delivery.attempts',
      'delivery.due_at',
      'delivery.created_at',
      'delivery.finished_at',
      'event.id as event_id',
      'event.type as event_type',
      'event.call_uuid',
      shownState.as('state'),
    ])
    .where('delivery.account_id', '=', accountId)
}

type Row = Awaited<ReturnType<ReturnType<typeof selectDeliveries>['executeTakeFirstOrThrow']>>

function deliveryOf(row: Row): Delivery {
  return {
    id: idOfNumber('delivery', row.seq),
    webhook_id: row.webhook_id,
    event_id: row.event_id,
    event_type: row.event_type,
    call_uuid: row.call_uuid,
    state: row.state,
    attempts: row.attempts,
    due_at: row.state === 'pending' ? isoOf(row.due_at) : null,
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
      return sql<boolean>`delivery.state = 'pending' and lane.held = 0`
    case 'held':
      return sql<boolean>`delivery.state = 'pending' and lane.held = 1`
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

/**
 * Cancels a delivery that waits (pending or held). `not_waiting`: it is under way or over; null: there is none.
 */
export async function cancelDelivery(
  store: Store,
  accountId: string,
  id: string,
  now: number,
): Promise<'cancelled' | 'not_waiting' | null> {
  const seq = numberOfId('delivery', id)
  if (seq === null || (await getDelivery(store, accountId, id)) === null) return null
  const cancelled = await store.write.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('delivery')
      .set({ state: 'cancelled', finished_at: now })
      .where('seq', '=', seq)
      .where('state', '=', 'pending')
      .returning('webhook_id')
      .executeTakeFirst()
    if (row === undefined) return false
    // Later events of its call may have waited for it.
    await trx
      .updateTable('lane')
      .set({ next_due: dueAgain(now) })
      .where('webhook_id', '=', row.webhook_id)
      .execute()
    return true
  })
  if (!cancelled) return 'not_waiting'
  store.ringDue()
  return 'cancelled'
}
