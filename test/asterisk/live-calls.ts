/** Plays scenarios on one stack, one after the other, and checks the requests that arrive. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { checkNothingLost, checkRequests, endedCalls, eventsOf } from '#test/asterisk/arrivals.ts'
import { play } from '#test/asterisk/play.ts'
import type { Scenario } from '#test/asterisk/scenarios.ts'
import { allDelivered, deliveries, type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import { expectedCalls } from '#test/traces/expected/expected-calls.ts'

/** Makes the tests of a file: one per scenario, and one for all of them together. */
export function testCalls(
  scenarios: readonly Scenario[],
  start: () => Promise<Stack> = startStack,
): void {
  let stack: Stack
  beforeAll(async () => {
    stack = await start()
  })
  beforeEach(({ onTestFailed }) => onTestFailed(() => showLog(stack)))
  afterAll(async () => await stack?.[Symbol.asyncDispose]())

  test.each(scenarios)('$recording', async (scenario) => {
    const { receiver, ports } = stack
    const seen = receiver.requests.length
    const expected = expectedOf(scenario)
    await play(scenario, ports)
    const ends = expected.filter((call) => 'status' in call).length
    await receiver.waitFor((all) => endedCalls(all.slice(seen)) >= ends, `the end of ${ends} calls`)
    await allDelivered(stack)
    const arrived = receiver.requests.slice(seen)
    checkRequests(arrived)
    checkCalls(eventsOf(arrived), expected)
    expect(arrived.filter(({ event }) => event?.backfilled)).toEqual([])
  })

  test('all that happened arrived, each event in one request', async () => {
    expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
    for (const delivery of await deliveries(stack)) {
      expect(delivery).toMatchObject({ state: 'delivered', attempts: 1 })
    }
  })
}

function expectedOf({ recording, differs = {} }: Scenario) {
  const recorded = expectedCalls[recording]
  if (recorded === undefined) throw new Error(`There are no expected events for ${recording}.`)
  return recorded.map((call) => ({ ...call, ...differs }))
}
