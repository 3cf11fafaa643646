/** The real agent beside a record, the real server: what is written arrives, by the agent's clock and in its order. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NewAgentToken } from '#contracts/agent.ts'
import { type AgentStack, startAgentStack } from '#test/agent/agent-stack.ts'
import { callRows } from '#test/agent/written-calls.ts'
import { checkRequests, endedCalls, eventsOf } from '#test/asterisk/arrivals.ts'
import { startOffhook } from '#test/support/offhook-process.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import { inboundAnsweredBy201 } from '#test/traces/expected/building-blocks.ts'

// Several processes one after the other, on machines that have other things to do.
vi.setConfig({ testTimeout: 60_000 })

let stack: AgentStack
beforeEach(async ({ onTestFailed }) => {
  onTestFailed(() => void process.stderr.write(`${stack?.offhook.output()}\n`))
  stack = await startAgentStack(callRows(1, Date.now() - 60_000).join(''))
}, 60_000)
afterEach(async () => await stack?.[Symbol.asyncDispose]())

const call = inboundAnsweredBy201('1001', 'caller', { duration: 4, ring: 1, bill: 3 })

async function arrived(calls: number) {
  const { receiver } = stack
  await receiver.waitFor((all) => endedCalls(all) >= calls, `the end of ${calls} calls`)
  checkRequests(receiver.requests)
  return eventsOf(receiver.requests)
}

test('what is written from now on arrives, live; what was before is history', async () => {
  await using agent = stack.startAgent()
  await stack.caughtUp()
  await stack.receiver.waitFor(
    (all) => all.some(({ event }) => event?.type === 'service.link.up'),
    'the news of the agent',
  )
  await stack.write(callRows(2, Date.now()).join(''))
  const events = await arrived(1)
  checkCalls(events, [call])
  expect(events.filter(({ backfilled }) => backfilled)).toEqual([])
  const { status } = await stack.shown()
  expect(status).toMatchObject({ pbx: 'up', agent: { connected: true, caught_up: true } })
  // One machine, one clock.
  expect(Math.abs(status.agent?.clock?.offset_ms ?? Number.NaN)).toBeLessThan(100)

  expect(await agent.stop()).toBe(0)
  // It says that it leaves: the server does not have to find out.
  await stack.receiver.waitFor(
    (all) => all.some(({ event }) => event?.type === 'service.link.down'),
    'the news that the agent has left',
    5_000,
  )
  expect((await stack.shown()).status).toMatchObject({
    pbx: 'down',
    reason: 'The agent: closed.',
    agent: { connected: false, caught_up: false },
  })
})

test('what happened while no agent ran arrives as read late, and the link tells how much', async () => {
  await using agent = stack.startAgent()
  await stack.caughtUp()
  await agent.stop()
  await stack.write(callRows(2, Date.now() - 10_000).join(''))
  agent.start()
  const events = await arrived(1)
  checkCalls(events, [call])
  const ofCall = events.filter((event) => event.sequence !== null)
  expect(ofCall.filter(({ backfilled }) => !backfilled)).toEqual([])
  const requests = await stack.receiver.waitFor(
    (all) => all.filter(({ event }) => event?.type === 'service.link.up').length === 2,
    'the second news of the agent',
  )
  expect(requests.findLast(({ event }) => event?.type === 'service.link.up')?.event).toMatchObject({
    link: { backfilled_events: ofCall.length },
  })
})

test.each([3_600_000, -3_600_000])(
  'a clock that is %i ms off is measured; what it writes now is live',
  async (ahead) => {
    process.env.OTHER_CLOCK_MS = String(ahead)
    await using _agent = stack.startAgent({
      nodeOptions: ['--import', './test/agent/other-clock.mjs'],
    })
    await stack.caughtUp()
    await stack.write(callRows(2, Date.now() + ahead).join(''))
    const events = await arrived(1)
    checkCalls(events, [call])
    expect(events.filter(({ backfilled }) => backfilled)).toEqual([])
    const { status } = await stack.shown()
    expect(Math.abs((status.agent?.clock?.offset_ms ?? Number.NaN) - ahead)).toBeLessThan(100)
    // As the PBX wrote it, whatever its clock says.
    const written = Date.parse(events.at(-1)?.occurred_at ?? '')
    expect(Math.abs(written - Date.now() - ahead)).toBeLessThan(60_000)
  },
)

test('a token that was replaced ends the agent, which says so', async () => {
  await using agent = stack.startAgent()
  await stack.caughtUp()
  const { uuid } = stack.service
  const { token } = await stack.offhook.api<NewAgentToken>('POST', `/services/${uuid}/agent-token`)
  expect(await agent.ended()).toBe(1)
  expect(agent.output()).toContain('The agent token is missing, or another one was made since.')
  await writeFile(stack.tokenFile, token)
  agent.start()
  await stack.caughtUp()
})

test('a second agent takes over; the first ends, and says why', async () => {
  await using first = stack.startAgent()
  await stack.caughtUp()
  await using _second = stack.startAgent()
  expect(await first.ended()).toBe(1)
  expect(first.output()).toContain('Another agent of this service has connected.')
  await stack.caughtUp()
  await stack.write(callRows(2, Date.now()).join(''))
  checkCalls(await arrived(1), [call])
})

test('a record that is not there, or cannot be read, is told and waited for', async () => {
  const folder = `${stack.celPath}.d`
  await mkdir(folder)
  // Reading it as a file fails, for root too.
  await using agent = stack.startAgent({ celPath: folder })
  await waitUntil(() => /EISDIR.*agent: not shipped/.test(agent.output()), {
    what: 'the agent cannot read it',
  })
  await rm(folder, { recursive: true })
  await stack.caughtUp()
  await agent.stop()
  agent.start()
  await waitUntil(() => agent.output().includes('there is no such file'), { what: 'it is told' })
  await stack.caughtUp()
  await writeFile(folder, callRows(2, Date.now()).join(''))
  checkCalls(await arrived(1), [call])
})

test('of several servers the one that runs the service is found', async () => {
  await using elsewhere = await startOffhook()
  await using agent = stack.startAgent({
    server: elsewhere.url,
    more: ['--server', stack.offhook.url],
  })
  // Another database knows no such token: that is for a person to mend, not to be passed over.
  expect(await agent.ended()).toBe(1)
  await elsewhere.stop()
  agent.start()
  await stack.caughtUp()
})

test('a server that is not up yet is waited for', async () => {
  await stack.offhook.stop()
  await using agent = stack.startAgent()
  await waitUntil(() => agent.output().includes('agent: not shipped'), {
    what: 'the agent has tried in vain',
  })
  await stack.offhook.start()
  await stack.caughtUp()
})
