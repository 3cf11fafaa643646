/** Events as a PBX makes them: calls of five events each, 768 to 2,806 bytes, 1,356 on average. */
import { randomInt } from 'node:crypto'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { callBegan, callUuid, eventId } from '#server/domain/events/ids.ts'

/** An inbound call that one user answers. */
export const callTypes = [
  'call.inbound.received',
  'user.inbound.ringing',
  'call.inbound.answered',
  'user.inbound.completed',
  'call.ended',
] as const satisfies readonly EventType[]

export interface EventOwner {
  readonly account: { readonly id: string; readonly name: string }
  readonly serviceUuid: string
}

/** The events of a call, in their order; of a new one unless it has a name. The same name gives the same ids. */
export function eventsOfCall({ account, serviceUuid }: EventOwner, name?: string): Event[] {
  const callId = name ?? `bench-${Math.floor(Date.now() / 1_000)}.${randomInt(2 ** 47)}`
  const uuid = callUuid(serviceUuid, callId)
  return callTypes.map((type, i) => {
    const sample = eventSamples[type] as Extract<Event, { call: unknown }>
    return {
      ...sample,
      id: eventId(callBegan(callId), serviceUuid, `${callId} ${i + 1}`),
      sequence: i + 1,
      account: { id: account.id, name: account.name },
      service: { ...sample.service, uuid: serviceUuid },
      call: { ...sample.call, uuid },
    } as Event
  })
}
