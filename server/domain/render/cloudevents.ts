import type { Event } from '#contracts/events/catalogue.ts'

export const cloudEventsType = 'application/cloudevents+json'

/** CloudEvents 1.0 in the structured mode: its attributes, and the native event as data. */
export function cloudEvent(event: Event): string {
  return JSON.stringify({
    specversion: '1.0',
    id: event.id,
    source: `urn:offhook:${event.service === null ? `account:${event.account.id}` : `service:${event.service.uuid}`}`,
    type: `offhook.${event.type}`,
    // What belongs together has the same subject: the events of a call.
    ...('call' in event && { subject: event.call.uuid }),
    time: event.occurred_at,
    datacontenttype: 'application/json',
    ...(event.sequence !== null && { sequence: String(event.sequence).padStart(10, '0') }),
    data: event,
  })
}
