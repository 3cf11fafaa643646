import type { HangupCauses } from '#contracts/webhook/hangup-causes.ts'
import { type StoredEventObject, valueAt } from '#server/domain/render/event-values.ts'

/** The event with the cause of its hang-up under its own name; the very same where there is nothing to rename. */
export function renameCause<E extends StoredEventObject>(event: E, causes: HangupCauses): E {
  const cause = valueAt(event, 'call.hangup.cause')
  if (typeof cause !== 'string' || !Object.hasOwn(causes, cause)) return event
  const call = event.call as StoredEventObject
  const hangup = call.hangup as StoredEventObject
  const own = causes[cause as keyof HangupCauses]
  return { ...event, call: { ...call, hangup: { ...hangup, cause: own } } }
}

/** Those of the account, where the webhook has none of its own. */
export const mergedCauses = (account: HangupCauses, webhook: HangupCauses): HangupCauses => ({
  ...account,
  ...webhook,
})
