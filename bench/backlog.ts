/**
 * A million deliveries are pending when the engine starts: the most memory that its process takes while it drains
 * them, and how fast it drains ÷ the yardstick. The two take turns: the engine is halted while the yardstick runs.
 */
import { loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { startChild } from '#bench/child.ts'
import { nowMs } from '#bench/clock.ts'
import type { EngineHandlers } from '#bench/engine-process.ts'
import { mostMemoryMb } from '#bench/memory.ts'
import type { ReceiverHandlers } from '#bench/receiver-process.ts'
import {
  againstNeighbours,
  type Engine,
  type Receiver,
  speedOf,
  yardstickRound,
} from '#bench/rounds.ts'
import { type Database, scratchFolder } from '#bench/scratch-folder.ts'
import { benchSecret, signedRequests } from '#bench/signed-requests.ts'
import { median, rounded, spreadOf } from '#bench/statistics.ts'
import type { YardstickHandlers } from '#bench/yardstick-process.ts'

const receivers = 20
const connections = receivers * 5

export async function backlog({ quick, tell }: BenchOptions): Promise<BenchResult> {
  const wanted = quick ? 120_000 : 1_000_000
  await using folder = await scratchFolder()
  await using receiver = startChild<ReceiverHandlers>('receiver-process.ts', import.meta.url)
  await using yardstick = startChild<YardstickHandlers>('yardstick-process.ts', import.meta.url)
  const origins = await receiver.call('listen', { count: receivers, kind: 'http' })
  const urls = origins.map((origin) => `${origin}/ok`)
  await yardstick.call('setUp', { urls, connections, requests: signedRequests() })

  const database = folder.database('engine')
  const accepted = await fill(database, urls, wanted, tell)
  // A process of its own, with nothing in its heap from the filling.
  await using engine = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await engine.call('reopen', database)

  await yardstickRound({ receiver, yardstick }, 10_000)
  const stickSpeed = speedOf(await yardstickRound({ receiver, yardstick }, 10_000))
  const requests = Math.ceil(stickSpeed * (quick ? 1.5 : 3))
  const stick = async () => speedOf(await yardstickRound({ receiver, yardstick }, requests))
  const sticks = [await stick()]
  const drains: Drain[] = []
  const seconds = quick ? 3 : 10
  for (let i = 0; i < (quick ? 3 : 10); i += 1) {
    drains.push(await drainFor(seconds, engine, receiver))
    sticks.push(await stick())
    tell(`drained ${Math.round(speedOf(drains.at(-1) as Drain))}/s`)
  }
  const memory = await mostMemoryMb(engine.pid)
  await checkNothingLost(engine, accepted, drains)
  const ratios = drains.map((drain, i) => {
    const [before = Number.NaN, after = Number.NaN] = sticks.slice(i, i + 2)
    return againstNeighbours(speedOf(drain), before, after)
  })
  return {
    name: 'backlog',
    value: rounded(median(ratios)),
    unit: '× yardstick',
    details: {
      ratio: spreadOf(ratios),
      most_memory_mb: Math.round(memory),
      memory_at_the_end_mb: await engine.call('memory', undefined),
      pending: accepted,
      drained_per_second: spreadOf(drains.map(speedOf)),
      yardstick_per_second: spreadOf(sticks),
      cpu_micros_per_event: spreadOf(drains.map((drain) => drain.cpuMicros)),
      drained: drains.reduce((sum, drain) => sum + drain.count, 0),
      lost: 0,
      repeated: 0,
      load_average: rounded(loadavg()[0] ?? 0),
    },
  }
}

/** Everything is accepted while nothing is delivered, as in an outage of all receivers. */
async function fill(
  database: Database,
  urls: readonly string[],
  wanted: number,
  tell: BenchOptions['tell'],
): Promise<number> {
  await using filler = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await filler.call('open', database)
  await filler.call('create', { webhooks: urls.map((url) => ({ url })) })
  const began = nowMs()
  const accepted = await filler.call('load', { events: wanted })
  tell(`${accepted} accepted in ${((nowMs() - began) / 1_000).toFixed(0)} s`)
  await filler.call('close', undefined)
  return accepted
}

interface Drain {
  /** Different events that arrived. */
  readonly count: number
  readonly seconds: number
  readonly cpuMicros: number
}

/** Ends when all that was under way is written down. */
async function drainFor(seconds: number, engine: Engine, receiver: Receiver): Promise<Drain> {
  await receiver.call('begin', { ids: true, secret: benchSecret })
  const cpu = await engine.call('cpu', undefined)
  const began = nowMs()
  await engine.call('start', undefined)
  await pause(seconds * 1_000)
  await engine.call('halt', undefined)
  const took = (nowMs() - began) / 1_000
  const used = (await engine.call('cpu', undefined)) - cpu
  const came = await receiver.call('arrivals', undefined)
  if (came.repeated > 0 || came.wrong.length > 0 || came.events === 0 || came.verified === 0) {
    throw new Error(`while draining: ${JSON.stringify(came)}`)
  }
  return { count: came.events, seconds: took, cpuMicros: used / came.events }
}

async function checkNothingLost(engine: Engine, accepted: number, drains: readonly Drain[]) {
  const { delivered = 0, pending = 0, ...others } = await engine.call('states', undefined)
  const arrived = drains.reduce((sum, drain) => sum + drain.count, 0)
  if (delivered !== arrived || delivered + pending !== accepted || Object.keys(others).length > 0) {
    const states = JSON.stringify({ delivered, pending, ...others })
    throw new Error(`${accepted} were accepted and ${arrived} arrived, but: ${states}`)
  }
}
