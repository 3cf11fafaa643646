import { type RawBuilder, sql } from 'kysely'
import {
  type AttemptError,
  type Delivery,
  DeliveryState,
  type HeldBecause,
} from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import { isoOf, isoOrNull } from '#server/domain/times.ts'
import { idOfNumber, numberOfId } from '#server/store/new-id.ts'
import type { Db, Store } from '#server/store/store.ts'

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

/** One delivery as it is read for people. */
export interface DeliveryRow {
  readonly seq: number
  readonly webhook_id: string
  readonly state: Exclude<DeliveryState, 'held'>
  readonly origin: Delivery['origin']
  readonly attempts: number
  readonly resends: number
  readonly last_status: number | null
  readonly last_error: AttemptError | null
  readonly due_at: number
  readonly lease_until: number | null
  readonly created_at: number
  readonly finished_at: number | null
  readonly event_seq: number
  readonly event_day: number
  readonly event_id: string
  readonly event_type: EventType
  readonly call_uuid: string | null
  readonly held_because: HeldBecause | null
  readonly given_up_because: 'waited_too_long' | null
}

/** The columns of a `DeliveryRow`, from the tables of `deliveryJoins`. */
export const deliveryColumns = sql`delivery.seq, delivery.webhook_id, delivery.state,
  delivery.origin, delivery.attempts, delivery.resends, delivery.last_status, delivery.last_error,
  delivery.due_at, delivery.lease_until, delivery.created_at, delivery.finished_at, delivery.given_up_because,
  delivery.event_seq, delivery.event_day, event.id as event_id, event.type as event_type, event.call_uuid,
  ${heldBecause} as held_because`

/** Without the deliveries of deleted webhooks, which have no lane. */
export const deliveryJoins = sql`lane.webhook_id = delivery.webhook_id
  and webhook.id = delivery.webhook_id and event.seq = delivery.event_seq`

export function deliveryOf(row: DeliveryRow): Delivery {
  const state = row.held_because === null ? row.state : 'held'
  return {
    id: idOfNumber('delivery', row.seq),
    webhook_id: row.webhook_id,
    event_id: row.event_id,
    event_type: row.event_type,
    call_uuid: row.call_uuid,
    state,
    held_because: row.held_because,
    given_up_because: state === 'exhausted' ? (row.given_up_because ?? 'last_try_failed') : null,
    origin: row.origin,
    attempts: row.attempts,
    resends: row.resends,
    last_status_code: row.last_status,
    last_error: row.last_error,
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
  const row = await readDelivery(store.read, accountId, id)
  return row === null ? null : deliveryOf(row)
}

/** Null: the account has no such delivery. */
export async function readDelivery(
  db: Db,
  accountId: string,
  id: string,
): Promise<DeliveryRow | null> {
  const seq = numberOfId('delivery', id)
  if (seq === null) return null
  const found = await sql<DeliveryRow>`
    select ${deliveryColumns} from delivery, lane, webhook, event
    where delivery.account_id = ${accountId} and delivery.seq = ${seq} and ${deliveryJoins}`.execute(
    db,
  )
  return found.rows[0] ?? null
}

/** The rows that people see in this state. */
export function stateIs(state: DeliveryState): RawBuilder<boolean> {
  switch (state) {
    case 'pending':
      return sql<boolean>`delivery.state = 'pending' and ${heldBecause} is null`
    case 'held':
      return sql<boolean>`delivery.state = 'pending' and ${heldBecause} is not null`
    default:
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
