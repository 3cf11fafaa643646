/** The receiver is away, then broken, then hangs, while calls go on: everything arrives in the end. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Attempt } from '#contracts/delivery.ts'
import type { CallEvent } from '#contracts/events/catalogue.ts'
import type { Page } from '#contracts/page.ts'
import { checkNothingLost } from '#test/asterisk/arrivals.ts'
import { anna, answersAfter, talk } from '#test/asterisk/people.ts'
import { startPlaying } from '#test/asterisk/play.ts'
import {
  allDelivered,
  deliveries,
  type Stack,
  showLog,
  startStack,
  storedEvents,
} from '#test/asterisk/stack.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { groupByCall } from '#test/traces/check-calls.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ webhook: { retries: 10, timeout_seconds: 1 } })
})
beforeEach(({ onTestFailed }) => onTestFailed(() => showLog(stack)))
afterAll(async () => await stack?.[Symbol.asyncDispose]())

const calls = 10

test('ten calls while the receiver refuses, fails and stalls', async () => {
  const { receiver, ports } = stack
  await allDelivered(stack)
  await receiver.stop()
  await using playing = startPlaying(
    {
      callers: [{ ...anna('1007', ...talk(1_000)), calls, perSecond: 2 }],
      phones: { 201: { ...answersAfter(500), calls } },
    },
    ports,
  )
  await tried('connect_refused', 5)
  receiver.setMode('fail')
  await receiver.restart()
  await tried('status', 1)
  receiver.setMode('stall')
  await tried('timeout', 1)
  await playing.finished
  receiver.setMode('ok')
  await waitUntil(async () => (await ends()) === calls, { what: `the end of ${calls} calls` })
  await allDelivered(stack)

  expect((await deliveries(stack)).filter(({ state }) => state !== 'delivered')).toEqual([])
  const { repeated } = await checkNothingLost(stack)
  expect(repeated).toBeGreaterThan(0)
  await checkFirstTriesInOrder()
}, 180_000)

const ends = async () =>
  (await storedEvents(stack)).filter((event) => event.type === 'call.ended').length

/** Waits until so many attempts have failed in this way: five open the circuit breaker, which then lets one at a time go. */
async function tried(error: Attempt['error'], count: number): Promise<void> {
  const failed = async () => (await attempts()).filter((attempt) => attempt.error === error)
  await waitUntil(async () => (await failed()).length >= count, {
    what: `${count} attempts fail by ${error}`,
    timeoutMs: 60_000,
    everyMs: 200,
  })
}

async function attempts(): Promise<Attempt[]> {
  const ofEach = (await deliveries(stack)).map(async ({ id }) => {
    const { items } = await stack.offhook.api<Page<Attempt>>('GET', `/deliveries/${id}/attempts`)
    return items
  })
  return (await Promise.all(ofEach)).flat()
}

/** The first try of an event comes after that of the event before it in its call, whatever came of that. */
async function checkFirstTriesInOrder(): Promise<void> {
  const eventOfDelivery = new Map((await deliveries(stack)).map((d) => [d.id, d.event_id]))
  const firstTry = new Map<string, number>()
  for (const { delivery_id, number, started_at } of await attempts()) {
    if (number === 1) firstTry.set(eventOfDelivery.get(delivery_id) ?? '', Date.parse(started_at))
  }
  const stories = groupByCall(await storedEvents(stack))
  expect(stories.length).toBe(calls)
  for (const call of stories) {
    const times = call.map((event: CallEvent) => firstTry.get(event.id) ?? Number.NaN)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  }
}
