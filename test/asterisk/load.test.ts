/** A hundred calls at ten a second, and Offhook killed in the middle of them. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { CallEvent } from '#contracts/events/catalogue.ts'
import { checkNothingLost, endedCalls, eventsOf } from '#test/asterisk/arrivals.ts'
import { anna, answersAfter, talk } from '#test/asterisk/people.ts'
import { startPlaying } from '#test/asterisk/play.ts'
import { allDelivered, type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import type { ReceivedRequest } from '#test/support/receiver.ts'
import { checkCalls, groupByCall } from '#test/traces/check-calls.ts'
import { inboundAnsweredBy201 } from '#test/traces/expected/building-blocks.ts'

const calls = 100
const perSecond = 10
const maxInFlight = 20

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ webhook: { concurrency: maxInFlight } })
})
beforeEach(({ onTestFailed }) => onTestFailed(() => showLog(stack)))
afterAll(async () => await stack?.[Symbol.asyncDispose]())

test(`${calls} calls at ${perSecond}/s and a kill -9: none is lost, none is told twice`, async () => {
  const { offhook, receiver, ports } = stack
  await allDelivered(stack)
  const seen = receiver.requests.length
  const beganAt = performance.now()
  await using playing = startPlaying(
    {
      callers: [{ ...anna('1007', ...talk(1_500)), calls, perSecond }],
      phones: { 201: { ...answersAfter(300), calls } },
    },
    ports,
  )
  await receiver.waitFor((all) => endedCalls(all) >= calls / 2, 'half of the calls', 60_000)
  await offhook.kill()
  await offhook.start()
  await playing.finished
  const seconds = (performance.now() - beganAt) / 1_000
  await receiver.waitFor((all) => endedCalls(all) >= calls, `${calls} ends`, 60_000)
  await allDelivered(stack)

  const requests = receiver.requests.slice(seen)
  const events = eventsOf(requests)
  const one = inboundAnsweredBy201('1007', 'caller', { duration: 2, ring: 0.5, bill: 1.5 })
  checkCalls(
    events,
    Array.from({ length: calls }, () => one),
  )
  expect(groupByCall(events).length).toBe(calls)
  const { repeated } = await checkNothingLost(stack)
  // What was under way when Offhook died goes out again, and nothing else does.
  expect(repeated).toBeLessThanOrEqual(maxInFlight)
  tell(requests, seconds, repeated)
}, 120_000)

/** Milliseconds from the event on the PBX to its first arrival, of those that were told live. */
function latencies(requests: readonly ReceivedRequest[]): number[] {
  const first = new Map<string, number>()
  for (const { at, event } of requests) {
    if (event === null || event.backfilled || event.sequence === null || first.has(event.id)) {
      continue
    }
    first.set(event.id, performance.timeOrigin + at - Date.parse((event as CallEvent).occurred_at))
  }
  return [...first.values()].sort((a, b) => a - b)
}

function tell(requests: readonly ReceivedRequest[], seconds: number, repeated: number): void {
  const sorted = latencies(requests)
  const percentile = (p: number) => Math.round(sorted[Math.floor(sorted.length * p)] ?? Number.NaN)
  process.stdout.write(
    `load: ${calls} calls, ${(calls / seconds).toFixed(1)}/s, ${requests.length} requests, lost 0, ` +
      `repeated by the kill ${repeated}; event → arrival p50 ${percentile(0.5)} ms, ` +
      `p99 ${percentile(0.99)} ms of ${sorted.length} live events\n`,
  )
}
