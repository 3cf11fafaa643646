/** Very many: webhooks that one event fires, deliveries that are due to a receiver that is dead. */
import { expect, test } from 'vitest'
import { startChild } from '#bench/child.ts'
import type { EngineHandlers } from '#bench/engine-process.ts'
import { mostMemoryMb } from '#bench/memory.ts'
import { scratchPostgres } from '#bench/postgres.ts'
import type { ReceiverHandlers } from '#bench/receiver-process.ts'
import { type Database, scratchFolder } from '#bench/scratch-folder.ts'
import { benchSecret } from '#bench/signed-requests.ts'
import { percentile } from '#bench/statistics.ts'
import { eventsOf } from '#test/asterisk/arrivals.ts'
import { allDelivered, createWebhook } from '#test/asterisk/stack.ts'
import { chance, effort } from '#test/chaos/chance.ts'
import { startWorld } from '#test/chaos/world.ts'
import { writeCalls } from '#test/chaos/written-calls.ts'
import { startReceiver } from '#test/support/receiver.ts'

const manyWebhooks = effort === 'long' ? 10_000 : 200
const manyDue = effort === 'long' ? 100_000 : 6_000
const offered = { perSecond: 20, seconds: effort === 'long' ? 30 : 5 }
const mostMb = 400

test(`${manyWebhooks} webhooks hear of each call once`, async ({ onTestFailed }) => {
  const luck = chance('crowds')
  await using parts = new AsyncDisposableStack()
  const receiver = parts.use(await startReceiver())
  const world = parts.use(await startWorld([]))
  const { offhook } = world
  onTestFailed(() => void process.stderr.write(`CHAOS_SEED=${luck.seed}\n${offhook.output()}\n`))
  const names = Array.from({ length: manyWebhooks }, (_, i) => `/w${i}`)
  const left = names.values()
  const create = async () => {
    for (const name of left) {
      const url = receiver.url.replace(/\/$/, name)
      await createWebhook(offhook, { url }, null, { name, triggers: ['call.ended'] })
    }
  }
  await Promise.all(Array.from({ length: 8 }, create))

  const writer = parts.use(writeCalls(world.cel, luck, { atOnce: 2, everyMs: 20 }))
  await receiver.waitFor((all) => all.length > 0, 'the first end of a call', 60_000)
  const calls = await writer.stop()
  const wanted = calls * manyWebhooks
  await receiver.waitFor((all) => all.length >= wanted, `${wanted} requests`, 300_000)
  await allDelivered({ offhook })
  expect(receiver.requests.length).toBe(wanted)
  expect(eventsOf(receiver.requests).length).toBe(calls)
  const byWebhook = Map.groupBy(receiver.requests, ({ path }) => path)
  expect(new Set(byWebhook.keys())).toEqual(new Set(names))
  for (const requests of byWebhook.values()) expect(eventsOf(requests).length).toBe(calls)
  const memory = await mostMemoryMb(offhook.pid())
  // One event is as many requests, and all of them in one transaction.
  expect(memory).toBeLessThan(mostMb + manyWebhooks / 40)
  process.stdout.write(
    `chaos: ${manyWebhooks} webhooks, ${calls} calls, ${wanted} requests, lost 0, repeated 0, peak ${memory.toFixed(0)} MB\n`,
  )
}, 600_000)

test(`${manyDue} deliveries due to a dead receiver delay nobody: SQLite`, async () => {
  await using folder = await scratchFolder()
  await besideTheDead(folder.database('engine'))
}, 300_000)

test(`${manyDue} deliveries due to a dead receiver delay nobody: PostgreSQL`, async () => {
  await using server = await scratchPostgres()
  await besideTheDead(server.database)
}, 300_000)

async function besideTheDead(database: Database): Promise<void> {
  await using receiver = startChild<ReceiverHandlers>(
    '../../bench/receiver-process.ts',
    import.meta.url,
  )
  await using engine = startChild<EngineHandlers>('../../bench/engine-process.ts', import.meta.url)
  const [origin] = await receiver.call('listen', { count: 1, kind: 'http' })
  await engine.call('open', database)
  await engine.call('create', {
    webhooks: [
      { url: `${origin}/ok`, settings: { concurrency: 50 } },
      { url: `${origin}/hang`, settings: { timeout_seconds: 1 } },
    ],
  })
  const due = await engine.call('load', { events: manyDue, webhook: 1 })
  await receiver.call('begin', { ids: true, secret: benchSecret })
  await engine.call('start', undefined)

  const events = await engine.call('offer', { ...offered, webhooks: 1 })
  const ids = events.map(({ id }) => id)
  const { missing } = await receiver.call('awaitIds', { ids, timeoutMs: 60_000 })
  const { repeated, wrong, verified } = await receiver.call('arrivals', undefined)
  expect({ missing, repeated, wrong }).toEqual({ missing: 0, repeated: 0, wrong: [] })
  expect(verified).toBeGreaterThan(0)
  const times = await receiver.call('times', undefined)
  const latencies = events.map(({ id, at }) => (times.get(id) ?? Number.POSITIVE_INFINITY) - at)
  // Behind them in one line they would wait for many minutes; a busy machine is slow by seconds.
  const p99 = percentile(latencies, 0.99)
  expect(p99).toBeLessThan(10_000)

  await engine.call('halt', undefined)
  const { delivered = 0, ...others } = await engine.call('states', undefined)
  expect(delivered).toBe(ids.length)
  expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBe(due)
  const memory = await mostMemoryMb(engine.pid)
  expect(memory).toBeLessThan(mostMb)
  process.stdout.write(
    `chaos: ${due} due to the dead, ${ids.length} beside them: p99 ${p99.toFixed(0)} ms, lost 0, repeated 0, peak ${memory.toFixed(0)} MB\n`,
  )
}
