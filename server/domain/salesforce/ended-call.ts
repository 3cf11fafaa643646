import type { StoredEventObject } from '#server/domain/render/event-values.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import type { EndedCall } from '#server/domain/salesforce/task.ts'

/**
 * The event as the end of a call, of which a Task is made. Deliveries are of no other type; a preview or a test can ask
 * for any: throws NotRenderedError.
 */
export function endedCall(event: object): EndedCall & StoredEventObject {
  const type = 'type' in event ? event.type : null
  if (type === 'call.ended') return event as EndedCall & StoredEventObject
  throw new NotRenderedError(`Salesforce gets a Task of call.ended only, not of ${type}.`)
}
