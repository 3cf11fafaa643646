/** The books of a receiver: what it was sent more than once, and why. */
import { expect } from 'vitest'
import { eventsOf } from '#test/asterisk/arrivals.ts'
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
 * Throws for a repetition that nothing explains. `kills` are moments of `performance.now()`; a request was taken when
 * the receiver's answer to it was 2xx.
 */
export function explainRepeats(
  requests: readonly ReceivedRequest[],
  kills: readonly number[],
  refused: (request: ReceivedRequest) => boolean = () => false,
): Repeats {
  const counts = { refused: 0, killed: 0 }
  const byEvent = Object.groupBy(requests, ({ event }) => event?.id ?? '')
  for (const [id, arrivals = []] of Object.entries(byEvent)) {
    arrivals.reduce((before, again) => {
      if (refused(before)) counts.refused += 1
      else if (kills.some((at) => before.at <= at && at <= again.at)) counts.killed += 1
      else throw new Error(`${id} was sent again ${again.at - before.at} ms later, for no reason.`)
      return again
    })
  }
  return counts
}
