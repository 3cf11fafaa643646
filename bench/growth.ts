/**
 * Throughput with a long log ÷ with an empty one, and with ten thousand webhooks ÷ with ten. Each pair of engines takes
 * turns in short rounds.
 */
import { loadavg } from 'node:os'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { startChild } from '#bench/child.ts'
import { nowMs } from '#bench/clock.ts'
import type { EngineHandlers } from '#bench/engine-process.ts'
import type { ReceiverHandlers } from '#bench/receiver-process.ts'
import { engineRound } from '#bench/rounds.ts'
import { scratchFolder } from '#bench/scratch-folder.ts'
import { rounded } from '#bench/statistics.ts'
import { takeTurns } from '#bench/turns.ts'

const origins = 20

export async function growth(options: BenchOptions): Promise<BenchResult> {
  const log = await longLog(options)
  const webhooks = await manyWebhooks(options)
  return {
    name: 'growth',
    value: Math.min(log.ratio.median, webhooks.ratio.median),
    unit: '× when small',
    details: { log, webhooks, lost: 0, repeated: 0, load_average: rounded(loadavg()[0] ?? 0) },
  }
}

async function longLog({ quick, tell }: BenchOptions) {
  const wanted = quick ? 100_000 : 5_000_000
  await using folder = await scratchFolder()
  await using receiver = startChild<ReceiverHandlers>('receiver-process.ts', import.meta.url)
  await using small = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await using large = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  const urls = await receiver.call('listen', { count: origins, kind: 'http' })
  for (const engine of [small, large]) {
    await engine.call('open', folder.database(engine === small ? 'small' : 'large'))
    await engine.call('create', { webhooks: urls.map((url) => ({ url: `${url}/ok` })) })
    await engine.call('start', undefined)
  }
  // The rows that are copied, and the engines' warming up.
  for (const engine of [small, large])
    await engineRound({ receiver, engine }, quick ? 1_200 : 4_980)
  const began = nowMs()
  const attempts = await large.call('fillLog', {
    attempts: wanted,
    days: 29,
    deliveriesPerEvent: 5,
  })
  tell(`${attempts} attempts written in ${((nowMs() - began) / 1_000).toFixed(0)} s`)
  const compared = await takeTurns({ receiver, base: small, other: large }, quick, tell)
  return { attempts, ...compared }
}

async function manyWebhooks({ quick, tell }: BenchOptions) {
  const many = quick ? 500 : 10_000
  await using folder = await scratchFolder()
  await using receiver = startChild<ReceiverHandlers>('receiver-process.ts', import.meta.url)
  await using small = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await using large = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  const urls = await receiver.call('listen', { count: origins, kind: 'http' })
  const webhooks = (count: number, settings: { concurrency?: number }) =>
    Array.from({ length: count }, (_, i) => ({ url: `${urls[i % origins]}/ok`, settings }))
  await small.call('open', folder.database('small'))
  // As many requests at a time as the many have, which share the engine's 256 (two thirds of its slots).
  await small.call('create', { webhooks: webhooks(10, { concurrency: 25 }), perAccount: 10 })
  const began = nowMs()
  await large.call('open', folder.database('large'))
  await large.call('create', { webhooks: webhooks(many, {}), perAccount: 10 })
  tell(`${many} webhooks made in ${((nowMs() - began) / 1_000).toFixed(0)} s`)
  for (const engine of [small, large]) {
    await engine.call('start', undefined)
    await engineRound({ receiver, engine }, quick ? 1_200 : 4_980, 1)
  }
  // One call of a PBX at a time: more of them hear of one in a round than of a busy few.
  const compared = await takeTurns({ receiver, base: small, other: large, calls: 1 }, quick, tell)
  return { webhooks: many, ...compared }
}
