/** The server's end of an agent, with capture played: it asks as `pipeline/capture.ts` does. */
import { expect, test } from 'vitest'
import type { AgentRecords } from '#contracts/agent.ts'
import { type AgentPbx, createAgentPbx } from '#server/pbx/agent/agent-pbx.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const row: AgentRecords['rows'][number] = {
  ...{ kind: 'queue_log', at: 1_000, uniqueId: 'a-1.0', queue: 'sales', agent: 'NONE' },
  ...{ event: 'ENTERQUEUE', data: [] },
} as const

const records = (session: string, more: Partial<AgentRecords>): AgentRecords => ({
  ...{ session, after: '', cursor: '', rows: [], more: false, remarks: [] },
  ...{ clock: null, leaving: false, ...more },
})

interface Opened extends AsyncDisposable {
  readonly agent: AgentPbx
  /** What the link told, in its order. */
  readonly told: readonly string[]
  readonly connect: () => string
}

async function open(times: { silentAfterMs?: number; commitWithinMs?: number }): Promise<Opened> {
  const agent = createAgentPbx({ trunks: null, now: Date.now, ...times })
  const told: string[] = []
  const end = new AbortController()
  await agent.pbx.record.resume(null)
  const running = agent.pbx.link?.run(
    {
      up: () => told.push('up'),
      down: (reason) => told.push(`down: ${reason}`),
      activity: () => undefined,
    },
    end.signal,
  )
  return {
    agent,
    told,
    connect: () => agent.connect('1')?.session ?? '',
    [Symbol.asyncDispose]: async () => {
      end.abort()
      await running
      await agent.pbx.link?.close()
    },
  }
}

test('silence is told as down, once; the next agent is up when it has caught up', async () => {
  await using opened = await open({ silentAfterMs: 50 })
  const { agent, told, connect } = opened
  const first = connect()
  await agent.ship(records(first, {}))
  expect(told).toEqual(['up'])
  await waitUntil(() => told.length === 2, { what: 'the silence is noticed' })
  expect(agent.state()).toMatchObject({ connected: false, caught_up: false })
  expect(await agent.ship(records(first, {}))).toEqual({ is: 'no_session' })

  const second = connect()
  const backlog = agent.ship(records(second, { cursor: 'a', rows: [row], more: true }))
  await agent.pbx.record.read('')
  await agent.pbx.record.read('a')
  expect(await backlog).toEqual({ is: 'committed', cursor: 'a' })
  expect(told).toEqual(['up', 'down: no answer'])
  await agent.ship(records(second, { after: 'a', cursor: 'a' }))
  expect(told).toEqual(['up', 'down: no answer', 'up'])
})

test('an agent that never came is told as down', async () => {
  await using opened = await open({ silentAfterMs: 20 })
  await waitUntil(() => opened.told.length > 0, { what: 'its absence is noticed' })
  expect(opened.told).toEqual(['down: no answer'])
})

test('a commit that takes long is a sign of life, and the shipment is neither lost nor taken twice', async () => {
  await using opened = await open({ silentAfterMs: 50, commitWithinMs: 200 })
  const { agent, told, connect } = opened
  const shipment = { cursor: 'a', rows: [row] }
  // The disk is full: capture reads, and cannot commit.
  const first = agent.ship(records(connect(), shipment))
  await agent.pbx.record.read('')
  expect(await first).toEqual({ is: 'not_committed' })
  expect(told).toEqual([])
  // The agent reads the same again, and more; meanwhile there is room, and the first one is committed.
  const again = agent.ship(records(connect(), { cursor: 'b', rows: [row, row] }))
  expect(await agent.pbx.record.read('')).toMatchObject({ rows: [row], cursor: 'a' })
  expect(await agent.pbx.record.read('a')).toMatchObject({ rows: [], cursor: 'a', more: false })
  expect(await again).toEqual({ is: 'elsewhere' })
  expect(agent.connect('1')?.cursor).toBe('a')
})

test('closing answers who waits', async () => {
  const { agent, connect } = await open({})
  const waiting = agent.ship(records(connect(), { cursor: 'a', rows: [row] }))
  await agent.pbx.link?.close()
  expect(await waiting).toEqual({ is: 'not_committed' })
  expect(agent.connect('1')).toBeNull()
})

test('what arrives five seconds late by its own clock is late, however far that clock is off', async () => {
  await using opened = await open({})
  const { agent, connect } = opened
  const clock = { offset_ms: -3_600_000, round_trip_ms: 1 }
  const shipped = agent.ship(records(connect(), { cursor: 'a', rows: [row], clock }))
  const { liveSince } = await agent.pbx.record.read('')
  expect(Math.abs((liveSince ?? 0) - (Date.now() - 3_600_000 - 5_000))).toBeLessThan(1_000)
  await agent.pbx.record.read('a')
  await shipped
})
