/**
 * kill -9 at random moments under load: every event that was accepted arrives, or the bench fails. What a kill makes
 * arrive twice is counted.
 *
 * The source outlives the engine, as a PBX's record does: what was not acknowledged is offered again after the restart,
 * with the same ids, and nothing else is.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { startChild } from '#bench/child.ts'
import type { EngineHandlers } from '#bench/engine-process.ts'
import { scratchPostgres } from '#bench/postgres.ts'
import type { ReceiverHandlers } from '#bench/receiver-process.ts'
import type { Engine, Receiver } from '#bench/rounds.ts'
import { type Database, scratchFolder } from '#bench/scratch-folder.ts'
import { createRandom } from '#bench/seeded-random.ts'
import { benchSecret } from '#bench/signed-requests.ts'

const receivers = 20
/** Batches that the source has offered and not heard of. */
const offeredAtOnce = 4
/** A kill comes within this time of the first event that this start accepts, at random. */
const killWithinMs = 700

export async function crash({ quick, tell }: BenchOptions): Promise<BenchResult> {
  await using folder = await scratchFolder()
  const sqlite = await killed(folder.database('engine'), quick ? 4 : 50, tell)
  await using server = await scratchPostgres()
  const postgres = await killed(server.database, quick ? 2 : 50, tell)
  const value = sqlite.lost + postgres.lost
  return { name: 'crash', value, unit: 'lost', details: { sqlite, postgres } }
}

async function killed(database: Database, kills: number, tell: BenchOptions['tell']) {
  const seed = Date.now() % 1_000_000
  const random = createRandom(seed)
  await using receiver = startChild<ReceiverHandlers>('receiver-process.ts', import.meta.url)
  const origins = await receiver.call('listen', { count: receivers, kind: 'http' })
  await receiver.call('begin', { ids: true, secret: benchSecret })
  await create(database, origins)
  const source: Source = { next: 0, accepted: [], offeredAgain: 0, unheard: [] }
  for (let kill = 1; kill <= kills; kill += 1) {
    await using engine = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
    await engine.call('reopen', database)
    await engine.call('start', undefined)
    const offering = offer(engine, source)
    // A start that is still loading its program has nothing to lose.
    await Promise.race([offering.first, offering.over])
    await pause(random() * killWithinMs)
    await engine.kill()
    await offering.over
    if (kill % 10 === 0) tell(`${kill} kills, ${source.accepted.length} events accepted`)
  }
  const { lost, unwritten } = await settle(database, receiver, source)
  const came = await receiver.call('arrivals', undefined)
  if (lost > 0 || unwritten > 0 || came.wrong.length > 0 || came.verified === 0) {
    const seen = JSON.stringify(came)
    throw new Error(`seed ${seed}: lost ${lost}, not written down ${unwritten}; ${seen}`)
  }
  return {
    lost,
    kills,
    seed,
    events: source.accepted.length,
    repeated: came.repeated,
    repeated_per_kill: Math.round((came.repeated / kills) * 10) / 10,
    offered_again: source.offeredAgain,
    verified: came.verified,
  }
}

interface Source {
  next: number
  /** Ids of what was acknowledged. */
  readonly accepted: string[]
  offeredAgain: number
  /** Offered, and the engine died before it said anything. */
  unheard: string[][]
}

async function create(database: Database, origins: readonly string[]): Promise<void> {
  await using engine = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await engine.call('open', database)
  const webhooks = origins.map((origin) => ({ url: `${origin}/ok` }))
  await engine.call('create', { webhooks })
  await engine.call('close', undefined)
}

/** Offers until the engine is gone; `first`: something was acknowledged. */
function offer(engine: Engine, source: Source) {
  const first = Promise.withResolvers<void>()
  const again = source.unheard
  source.unheard = []
  source.offeredAgain += again.length
  const one = async (): Promise<void> => {
    for (;;) {
      const calls = again.pop() ?? newCalls(source)
      try {
        source.accepted.push(...(await engine.call('acceptCalls', calls)))
        first.resolve()
      } catch {
        source.unheard.push(calls)
        return
      }
    }
  }
  const over = Promise.all(Array.from({ length: offeredAtOnce }, one)).then(() => {
    source.unheard.push(...again)
  })
  return { first: first.promise, over }
}

/** Names of calls: their events have the same ids whenever they are made. */
function newCalls(source: Source): string[] {
  source.next += 1
  return Array.from({ length: 12 }, (_, i) => `${source.next}-${i}`)
}

/** Lets the last engine finish in peace, and says what is missing then. */
async function settle(database: Database, receiver: Receiver, source: Source) {
  await using engine = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await engine.call('reopen', database)
  await engine.call('start', undefined)
  for (const calls of source.unheard) {
    source.accepted.push(...(await engine.call('acceptCalls', calls)))
  }
  const ids = source.accepted
  const { missing } = await receiver.call('awaitIds', { ids, timeoutMs: 120_000 })
  await engine.call('untilFinished', undefined)
  const { delivered = 0, ...others } = await engine.call('states', undefined)
  const left = Object.values(others).reduce((sum, count) => sum + count, 0)
  const distinct = new Set(ids).size
  if (delivered !== distinct) throw new Error(`${distinct} accepted, but ${delivered} delivered`)
  await engine.call('halt', undefined)
  await engine.call('close', undefined)
  return { lost: missing, unwritten: left }
}
