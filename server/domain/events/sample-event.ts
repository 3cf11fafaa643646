/** The sample of a type of event as if it had happened just now, to somebody. */
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import type { ServiceRef } from '#contracts/events/facts.ts'
import { eventSamples } from '#contracts/events/samples.ts'

export interface SampleOwner {
  readonly id: string
  readonly account: { readonly id: string; readonly name: string }
  /** Null: the service of the sample stays. */
  readonly service: ServiceRef | null
  /** Name of the Webhook object that the call passes; null: that of the sample. */
  readonly component: string | null
  /** When it shall have happened, epoch milliseconds. */
  readonly at: number
}

/** Of the PBX that the samples tell of, which is nobody's. */
export const sampleServiceUuid = eventSamples['call.ended'].service.uuid

const timestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

export function sampleEvent(type: EventType, owner: SampleOwner): Event {
  const { id, account, service, component, at } = owner
  const sample = eventSamples[type]
  const later = at - Date.parse(sample.occurred_at)
  const shifted = JSON.parse(JSON.stringify(sample), (_key, value: unknown) =>
    typeof value === 'string' && timestamp.test(value)
      ? new Date(Date.parse(value) + later).toISOString()
      : value,
  ) as Event
  return {
    ...shifted,
    id,
    account: { id: account.id, name: account.name },
    ...(service !== null && { service }),
    ...(component !== null &&
      'component' in shifted && { component: { ...shifted.component, name: component } }),
  } as Event
}
