/**
 * Events accepted durably, delivered and recorded per second ÷ the yardstick's POSTs per second: one process, native
 * payload, signed, one receiver for both. Yardstick and engine take turns, and each round of the engine is held against
 * the rounds of the yardstick before and behind it, since the machine is not ours alone.
 */
import { loadavg } from 'node:os'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { startChild } from '#bench/child.ts'
import type { EngineHandlers } from '#bench/engine-process.ts'
import { scratchPostgres } from '#bench/postgres.ts'
import type { ReceiverHandlers } from '#bench/receiver-process.ts'
import type { ServerKind } from '#bench/receiver-servers.ts'
import {
  againstNeighbours,
  type EngineRound,
  engineRound,
  speedOf,
  wholeBatches,
  yardstickRound,
} from '#bench/rounds.ts'
import { type Database, scratchFolder } from '#bench/scratch-folder.ts'
import { signedRequests } from '#bench/signed-requests.ts'
import { rounded, spreadOf } from '#bench/statistics.ts'
import type { YardstickHandlers, YardstickRun } from '#bench/yardstick-process.ts'

/** Twenty receivers with the default of five requests at a time each. */
const receivers = 20
const connections = receivers * 5

export async function throughput(options: BenchOptions): Promise<BenchResult> {
  const { value, details } = await onSqlite('http', options)
  // A receiver that takes as little of the two cores as can be: sender and yardstick differ the most.
  const lean = options.quick ? {} : { lean_receiver: (await onSqlite('lean', options)).details }
  return { name: 'throughput', value, unit: '× yardstick', details: { ...details, ...lean } }
}

/** The same on PostgreSQL, which has the machine's two cores with them. */
export async function throughputPostgres(options: BenchOptions): Promise<BenchResult> {
  await using server = await scratchPostgres()
  const { value, details } = await measure(server.database, 'http', options)
  return { name: 'throughput-postgres', value, unit: '× yardstick', details }
}

async function onSqlite(kind: ServerKind, options: BenchOptions): Promise<Measured> {
  await using folder = await scratchFolder()
  return await measure(folder.database('engine'), kind, options)
}

async function measure(
  database: Database,
  kind: ServerKind,
  { quick, tell }: BenchOptions,
): Promise<Measured> {
  await using receiver = startChild<ReceiverHandlers>('receiver-process.ts', import.meta.url)
  await using yardstick = startChild<YardstickHandlers>('yardstick-process.ts', import.meta.url)
  await using engine = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  const parts = { receiver, yardstick, engine }
  const origins = await receiver.call('listen', { count: receivers, kind })
  const urls = origins.map((origin) => `${origin}/ok`)
  await yardstick.call('setUp', { urls, connections, requests: signedRequests() })
  await engine.call('open', database)
  await engine.call('create', { webhooks: urls.map((to) => ({ url: to })) })
  await engine.call('start', undefined)

  // Unmeasured: both programs are compiled by use; their speed then says how much a round takes.
  await yardstickRound(parts, 10_000)
  const stickSpeed = speedOf(await yardstickRound(parts, 10_000))
  await engineRound(parts, 2_000)
  const engineSpeed = speedOf(await engineRound(parts, 4_000))
  const rounds = quick ? 4 : 8
  const requests = Math.ceil(stickSpeed * (quick ? 1.5 : 3))
  const events = wholeBatches(engineSpeed * (quick ? 3 : 6))

  const sticks = [await yardstickRound(parts, requests)]
  const engines: EngineRound[] = []
  for (let i = 0; i < rounds; i += 1) {
    const made = await engineRound(parts, events)
    const stick = await yardstickRound(parts, requests)
    engines.push(made)
    sticks.push(stick)
    tell(
      `engine ${Math.round(speedOf(made))}/s, ${made.cpuMicros.toFixed(0)} µs CPU; ` +
        `yardstick ${Math.round(speedOf(stick))}/s, ${stick.cpuMicros.toFixed(0)} µs`,
    )
  }
  await engine.call('halt', undefined)
  await yardstickRound(parts, 5_000, 'runEveryday')
  const everyday = await yardstickRound(parts, quick ? 15_000 : 60_000, 'runEveryday')
  return resultOf(engines, sticks, everyday)
}

type Measured = Pick<BenchResult, 'value' | 'details'>
function resultOf(
  engines: readonly EngineRound[],
  sticks: readonly YardstickRun[],
  everyday: YardstickRun,
): Measured {
  const perSecond = sticks.map(speedOf)
  const ratios = engines.map((round, i) => {
    const [before = Number.NaN, after = Number.NaN] = perSecond.slice(i, i + 2)
    return againstNeighbours(speedOf(round), before, after)
  })
  const ratio = spreadOf(ratios)
  const cpu = spreadOf(engines.map((round) => round.cpuMicros))
  const stickCpu = spreadOf(sticks.map((stick) => stick.cpuMicros))
  return {
    value: ratio.median,
    details: {
      ratio,
      events_per_second: spreadOf(engines.map(speedOf)),
      yardstick_per_second: spreadOf(perSecond),
      cpu_micros_per_event: cpu,
      yardstick_cpu_micros: stickCpu,
      cpu_ratio: rounded(stickCpu.median / cpu.median),
      everyday_loop: {
        per_second: rounded(speedOf(everyday)),
        cpu_micros: rounded(everyday.cpuMicros),
        ratio: rounded(spreadOf(engines.map(speedOf)).median / speedOf(everyday)),
      },
      events: engines.reduce((sum, round) => sum + round.count, 0),
      lost: 0,
      repeated: 0,
      verified: engines.reduce((sum, round) => sum + round.verified, 0),
      connections: {
        engine: Math.max(...engines.map((round) => round.connections)),
        yardstick: connections,
      },
      load_average: rounded(loadavg()[0] ?? 0),
    },
  }
}
