/** The books of a receiver: what it was sent more than once, and why. */
import { expect } from 'vitest'
import { eventsOf } from '#test/asterisk/arrivals.ts'
import { deliveries } from '#test/asterisk/stack.ts'
import type { World } from '#test/chaos/world.ts'
import { recorded } from '#test/chaos/written-calls.ts'
import type { ReceivedRequest } from '#test/support/receiver.ts'
import { checkEvents, checkSequences, groupByCall } from '#test/traces/check-calls.ts'
import { expectedCalls } from '#test/traces/expected/expected-calls.ts'

/** Each of the written calls arrived whole: every event of it once (counting by id), in its sequence. */
export function checkWrittenCalls(requests: readonly ReceivedRequest[], calls: number): void {
  const arrived = groupByCall(eventsOf(requests))
  expect(arrived.length).toBe(calls)
  const [wanted] = expectedCalls[recorded] ?? []
  if (wanted === undefined) throw new Error(`Nothing is expected of ${recorded}.`)
  for (const call of arrived) checkEvents(call, wanted)
}

/** As `checkWrittenCalls`, also in the order of the sequence by first arrivals. */
export function checkOrderedCalls(requests: readonly ReceivedRequest[], calls: number): void {
  checkSequences(eventsOf(requests))
  checkWrittenCalls(requests, calls)
}

export interface Repeats {
  /** The receiver refused the one before. */
  readonly refused: number
  /** Offhook was killed after the one before had left and before its outcome was on disk. */
  readonly killed: number
}

/**
 * Throws for a repetition that nothing explains, with the attempts that Offhook knows of. `kills` are moments of
 * `performance.now()`.
 */
export async function explainRepeats(
  { offhook }: Pick<World, 'offhook'>,
  requests: readonly ReceivedRequest[],
  kills: readonly number[],
  refused: (request: ReceivedRequest) => boolean = () => false,
): Promise<Repeats> {
  const counts = { refused: 0, killed: 0 }
  const byEvent = Object.groupBy(requests, ({ event }) => event?.id ?? '')
  for (const [id, arrivals = []] of Object.entries(byEvent)) {
    for (const [i, again] of arrivals.entries()) {
      const before = arrivals[i - 1]
      if (before === undefined) continue
      if (refused(before)) counts.refused += 1
      else if (kills.some((at) => before.at <= at && at <= again.at)) counts.killed += 1
      else throw new Error(`${id} came again for no reason: ${await attemptsOf(offhook, id)}`)
    }
  }
  return counts
}

async function attemptsOf(offhook: World['offhook'], eventId: string): Promise<string> {
  const all = await deliveries({ offhook })
  const mine = all.filter(({ event_id }) => event_id === eventId)
  const attempts = mine.map(({ id }) => offhook.api('GET', `/deliveries/${id}/attempts`))
  return JSON.stringify(await Promise.all(attempts), null, 2)
}
