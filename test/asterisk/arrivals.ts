/** What a receiver was sent, held against what must have been sent. */
import { expect } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { type Stack, storedEvents } from '#test/asterisk/stack.ts'
import type { ReceivedRequest } from '#test/support/receiver.ts'
import { checkSequences, groupByCall } from '#test/traces/check-calls.ts'

/** The events of requests, each once, in the order of their first arrival. */
export function eventsOf(requests: readonly ReceivedRequest[]): Event[] {
  const first = new Map<string, Event>()
  for (const { event } of requests) {
    if (event !== null && !first.has(event.id)) first.set(event.id, event)
  }
  return [...first.values()]
}

/**
 * Every request is signed by the secret and carries the id of its event; repetitions of an event have the same body;
 * the first arrivals of a call are its sequence from 1 without gaps.
 */
export function checkRequests(requests: readonly ReceivedRequest[]): void {
  const bodies = new Map<string, string>()
  for (const { headers, body, event, verified } of requests) {
    expect(verified).toBe(true)
    expect(headers['webhook-id']).toBe(event?.id)
    const id = event?.id ?? ''
    const before = bodies.get(id)
    if (before !== undefined) expect(body.toString()).toBe(before)
    bodies.set(id, body.toString())
  }
  checkSequences(eventsOf(requests))
}

/** What was stored has arrived, all of it, as it was stored. Returns how many requests came more than once. */
export async function checkNothingLost(stack: Stack): Promise<{ readonly repeated: number }> {
  const { requests } = stack.receiver
  checkRequests(requests)
  const arrived = eventsOf(requests)
  const byId = (events: readonly Event[]) => events.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  expect(byId(arrived)).toEqual(byId(await storedEvents(stack)))
  return { repeated: requests.length - arrived.length }
}

/** How many calls of these requests have ended. */
export function endedCalls(requests: readonly ReceivedRequest[]): number {
  return requests.filter(({ event }) => event?.type === 'call.ended').length
}

/** `inbound 0301234567 → 1001: 1 call.inbound.received, …` per call, for failing tests. */
export function storyOf(requests: readonly ReceivedRequest[]): string {
  return groupByCall(eventsOf(requests))
    .map((call) => {
      const { direction, source, destination } = (call[0] as (typeof call)[number]).call
      const steps = call.map(({ sequence, type }) => `${sequence} ${type}`).join(', ')
      return `${direction} ${source.raw} → ${destination.raw}: ${steps}`
    })
    .join('\n')
}
