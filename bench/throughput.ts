/**
 * Events accepted durably, delivered and recorded per second ÷ the yardstick's POSTs per second: one process, native
 * payload, signed, one receiver for both. Yardstick and engine take turns, and each round of the engine is held against
 * the rounds of the yardstick before and behind it, since the machine is not ours alone.
 */
import { loadavg } from 'node:os'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { type Child, startChild } from '#bench/child.ts'
import type { EngineHandlers, Round } from '#bench/engine-process.ts'
import type { Arrivals, ReceiverHandlers } from '#bench/receiver-process.ts'
import type { ServerKind } from '#bench/receiver-servers.ts'
import { scratchFolder } from '#bench/scratch-folder.ts'
import { benchSecret as secret, signedRequests } from '#bench/signed-requests.ts'
import { rounded, spreadOf } from '#bench/statistics.ts'
import type { YardstickHandlers, YardstickRun } from '#bench/yardstick-process.ts'

/** Twenty receivers with the default of five requests at a time each. */
const receivers = 20
const connections = receivers * 5

interface Parts {
  readonly receiver: Child<ReceiverHandlers>
  readonly yardstick: Child<YardstickHandlers>
  readonly engine: Child<EngineHandlers>
}

export async function throughput(options: BenchOptions): Promise<BenchResult> {
  const { value, details } = await onSqlite('http', options)
  // A receiver that takes as little of the two cores as can be: sender and yardstick differ the most.
  const lean = options.quick ? {} : { lean_receiver: (await onSqlite('lean', options)).details }
  return { name: 'throughput', value, unit: '× yardstick', details: { ...details, ...lean } }
}

async function onSqlite(kind: ServerKind, options: BenchOptions): Promise<Measured> {
  await using folder = await scratchFolder()
  return await measure(folder.database('engine'), kind, options)
}

async function measure(
  url: string,
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
  await engine.call('open', { url, webhooks: urls.map((to) => ({ url: to, secret })) })
  await engine.call('start', undefined)

  // Unmeasured: both programs are compiled by use; their speed then says how much a round takes.
  await yardstickRound(parts, 10_000)
  const stickSpeed = speedOf(await yardstickRound(parts, 10_000))
  await engineRound(parts, 2_000)
  const engineSpeed = speedOf(await engineRound(parts, 4_000))
  const rounds = quick ? 4 : 8
  const requests = Math.ceil(stickSpeed * (quick ? 1.5 : 3))
  const events = Math.ceil((engineSpeed * (quick ? 3 : 6)) / 60) * 60

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
  await engine.call('stop', undefined)
  return resultOf(engines, sticks)
}

const speedOf = (run: { readonly count: number; readonly seconds: number }): number =>
  run.count / run.seconds

type Measured = Pick<BenchResult, 'value' | 'details'>
type EngineRound = Round & Pick<Arrivals, 'connections' | 'verified'>

async function yardstickRound({ receiver, yardstick }: Parts, count: number) {
  await receiver.call('begin', { ids: false, secret: null })
  const run = await yardstick.call('run', count)
  const came = await receiver.call('arrivals', undefined)
  if (came.requests !== run.count || came.wrong.length > 0) {
    throw new Error(`the yardstick sent ${run.count}: ${JSON.stringify(came)}`)
  }
  return run
}

/** Throws unless every event arrived, once, signed. */
async function engineRound({ receiver, engine }: Parts, events: number): Promise<EngineRound> {
  await receiver.call('begin', { ids: true, secret })
  const round = await engine.call('round', { events, outstanding: 256 })
  const came = await receiver.call('arrivals', undefined)
  const whole = came.events === round.count && came.requests === round.count && came.verified > 0
  if (!whole || came.wrong.length > 0) {
    throw new Error(`${round.count} events were accepted: ${JSON.stringify(came)}`)
  }
  return { ...round, connections: came.connections, verified: came.verified }
}

function resultOf(engines: readonly EngineRound[], sticks: readonly YardstickRun[]): Measured {
  const perSecond = sticks.map(speedOf)
  const ratios = engines.map((round, i) => {
    const around = ((perSecond[i] ?? Number.NaN) + (perSecond[i + 1] ?? Number.NaN)) / 2
    return speedOf(round) / around
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
