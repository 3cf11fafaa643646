/** What a receiver was sent, held against what must have been sent. */
import { expect } from 'vitest'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { type Stack, storedEvents } from '#test/asterisk/stack.ts'
import type { ReceivedRequest, Receiver } from '#test/support/receiver.ts'
import { checkSequences } from '#test/traces/check-calls.ts'

/** The events of requests, each once, in the order of their first arrival. */
export function eventsOf(requests: readonly ReceivedRequest[]): Event[] {
  const first = new Map<string, Event>()
  for (const { event } of requests) {
    if (event !== null && !first.has(event.id)) first.set(event.id, event)
  }
  return [...first.values()]
}

/** Every request is signed and carries the id of its event; repetitions of an event have the same body. */
export function checkSigned(requests: readonly ReceivedRequest[]): void {
  const bodies = new Map<string, string>()
  for (const { headers, body, event, verified } of requests) {
    const id = event?.id ?? ''
    expect({ verified, id: headers['webhook-id'] }).toEqual({ verified: true, id })
    expect(body.toString()).toBe(bodies.get(id) ?? body.toString())
    bodies.set(id, body.toString())
  }
}

/** Also, the first arrivals of each call are its sequence from 1 without gaps. */
export function checkRequests(requests: readonly ReceivedRequest[]): void {
  checkSigned(requests)
  checkSequences(eventsOf(requests))
}

/** What was stored has arrived, all of it, as it was stored. Returns how many requests were repetitions. */
export async function checkNothingLost(
  stack: Pick<Stack, 'offhook' | 'receiver'>,
): Promise<{ readonly repeated: number }> {
  checkSigned(stack.receiver.requests)
  checkSequences(await storedEvents(stack))
  return await checkArrived(stack)
}

/** As `checkNothingLost`, for a receiver that does not verify, of calls whose times may go back. */
export async function checkArrived(
  stack: Pick<Stack, 'offhook' | 'receiver'>,
): Promise<{ readonly repeated: number }> {
  const { requests } = stack.receiver
  const stored = await storedEvents(stack)
  const arrived = eventsOf(requests)
  const byId = (events: readonly Event[]) => events.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  expect(byId(arrived)).toEqual(byId(stored))
  return { repeated: requests.length - arrived.length }
}

/** Waits for a request behind the first `seen` whose event is of the type and, where one is given, of the user. */
export async function hears(
  receiver: Receiver,
  seen: number,
  type: EventType,
  user?: string,
): Promise<void> {
  const what = user === undefined ? type : `${type} of ${user}`
  await receiver.waitFor(
    (requests) =>
      requests
        .slice(seen)
        .some(
          ({ event }) => event?.type === type && (user === undefined || userOf(event) === user),
        ),
    what,
    60_000,
  )
}

function userOf(event: Event): string | null {
  return 'user' in event && event.user !== null ? event.user.extension_number : null
}

/** How many calls of these requests have ended. */
export function endedCalls(requests: readonly ReceivedRequest[]): number {
  return requests.filter(({ event }) => event?.type === 'call.ended').length
}
