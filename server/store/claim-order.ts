/** The order of the events of a call, as conditions of the claim. */
import type { DeliveryOrder, OnExhausted } from '#contracts/webhook/webhook.ts'

export interface CallOrder {
  readonly delivery_order: DeliveryOrder
  readonly on_exhausted: OnExhausted
}

/** Which deliveries of a call may go, as a condition on `d`. */
export function inOrder(
  { delivery_order, on_exhausted }: CallOrder,
  turn: 0 | 1,
  ahead: boolean,
): string {
  if (delivery_order === 'none') return ``
  if (delivery_order === 'first_try') return ahead ? noneIsPutOff(turn) : firstOfItsCall(turn)
  return on_exhausted === 'block' ? `${headOfItsCall} ${nothingGivenUp}` : headOfItsCall
}

/**
 * `first_try`: no earlier event of the call still awaits its first try (of its round, where it is sent again) or has it
 * under way. Retries hold nobody up: then one refused event would stop the news of a call for hours. Nor does what is
 * sent again hold up what is live.
 */
const firstOfItsCall = (turn: 0 | 1): string => `
  and (d.call_uuid is null or d.round_attempts > 0 or not exists (
    select 1 from delivery as earlier
    where earlier.webhook_id = d.webhook_id and earlier.call_uuid = d.call_uuid
      and earlier.call_uuid is not null
      and earlier.turn = ${turn} and earlier.round_attempts = 0
      and earlier.state in ('pending', 'leased')
      and earlier.seq < d.seq))`

/** `strict`: every earlier event of the call is over. */
const headOfItsCall = `
  and (d.call_uuid is null or not exists (
    select 1 from delivery as earlier
    where earlier.webhook_id = d.webhook_id and earlier.call_uuid = d.call_uuid
      and earlier.call_uuid is not null
      and earlier.state in ('pending', 'leased')
      and earlier.seq < d.seq))`

/** `strict` with `block`: and none of them was given up. */
const nothingGivenUp = `
  and (d.call_uuid is null or not exists (
    select 1 from delivery as earlier
    where earlier.webhook_id = d.webhook_id and earlier.call_uuid = d.call_uuid
      and earlier.call_uuid is not null
      and earlier.state = 'exhausted'
      and earlier.seq < d.seq))`

/**
 * The same for a caller that lets the first tries of a call wait for each other itself: it has those that are leased,
 * and those before this one are taken with it, except where an earlier one was put off. Compared by difference: a bound on
 * `due_at` itself would have the planner walk the lane's whole backlog for each candidate instead of its call.
 */
const noneIsPutOff = (turn: 0 | 1): string => `
  and (d.call_uuid is null or d.round_attempts > 0 or not exists (
    select 1 from delivery as earlier
    where earlier.webhook_id = d.webhook_id and earlier.call_uuid = d.call_uuid
      and earlier.call_uuid is not null
      and earlier.turn = ${turn} and earlier.round_attempts = 0
      and earlier.state = 'pending' and earlier.state in ('pending', 'leased')
      and earlier.seq < d.seq and earlier.due_at - d.due_at > 0))`
