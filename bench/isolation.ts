/**
 * The p99 of healthy webhooks while a tenth of all webhooks hang ÷ their p99 while none does.
 *
 * Two engines, the same but for that tenth, run at the same time, so that whatever else the machine does hits both.
 * Events come at a steady rate for webhooks picked evenly, each at its own time whether or not the last one got
 * through. The latency is from that time to the request's arrival.
 */
import { loadavg } from 'node:os'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { type Child, startChild } from '#bench/child.ts'
import type { EngineHandlers, Offered } from '#bench/engine-process.ts'
import type { ReceiverHandlers } from '#bench/receiver-process.ts'
import { scratchFolder } from '#bench/scratch-folder.ts'
import { benchSecret as secret } from '#bench/signed-requests.ts'
import { percentile, rounded, spreadOf } from '#bench/statistics.ts'

const perSecond = 100
/** What an event may take at the most before the bench calls it lost. */
const patienceMs = 60_000

interface Sizes {
  readonly webhooks: number
  readonly rounds: number
  readonly seconds: number
}

export async function isolation({ quick, tell }: BenchOptions): Promise<BenchResult> {
  const hundred = { webhooks: 100, rounds: quick ? 5 : 10, seconds: quick ? 5 : 6 }
  const small = await measure(hundred, tell)
  if (quick) return resultOf(small, {})
  // A tenth of these is more than all the requests that the engine has under way at a time.
  const large = await measure({ ...hundred, webhooks: 1_000 }, tell)
  return resultOf(small, { thousand_webhooks: large })
}

const resultOf = (
  details: Awaited<ReturnType<typeof measure>>,
  more: Readonly<Record<string, unknown>>,
): BenchResult => ({
  name: 'isolation',
  value: details.p99_ratio,
  unit: '× p99 without',
  details: { ...details, ...more },
})

async function measure({ webhooks, rounds, seconds }: Sizes, tell: BenchOptions['tell']) {
  await using folder = await scratchFolder()
  await using receiver = startChild<ReceiverHandlers>('receiver-process.ts', import.meta.url)
  await using calm = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  await using troubled = startChild<EngineHandlers>('engine-process.ts', import.meta.url)
  const origins = await receiver.call('listen', { count: webhooks, kind: 'http' })
  const healthy = webhooks - webhooks / 10
  for (const engine of [calm, troubled]) {
    await engine.call('open', folder.database(engine === calm ? 'calm' : 'troubled'))
    const hangs = (i: number) => engine === troubled && i >= healthy
    const urls = origins.map((origin, i) => `${origin}${hangs(i) ? '/hang' : '/ok'}`)
    await engine.call('create', { webhooks: urls.map((url) => ({ url })) })
    await engine.call('start', undefined)
  }
  const rig: Rig = { receiver, calm, troubled, webhooks, healthy }
  await round(rig, 2)
  const measured: Round[] = []
  for (let i = 0; i < rounds; i += 1) {
    const made = await round(rig, seconds)
    measured.push(made)
    const [a, b] = [percentile(made.calm, 0.99), percentile(made.troubled, 0.99)]
    tell(
      `${webhooks} webhooks: p99 ${a.toFixed(1)} ms with none hanging, ` +
        `${b.toFixed(1)} ms with ${webhooks - healthy}`,
    )
  }
  return detailsOf(rig, measured)
}

function detailsOf({ webhooks, healthy }: Rig, rounds: readonly Round[]) {
  const calm = rounds.flatMap((round) => round.calm)
  const troubled = rounds.flatMap((round) => round.troubled)
  const ratioAt = (p: number, of: Round) => percentile(of.troubled, p) / percentile(of.calm, p)
  return {
    p99_ratio: rounded(ratioAt(0.99, { calm, troubled })),
    ratio: spreadOf(rounds.map((round) => ratioAt(0.99, round))),
    p50_ratio: rounded(ratioAt(0.5, { calm, troubled })),
    webhooks,
    hanging: webhooks - healthy,
    events_per_second: perSecond,
    none_hanging_ms: latencies(calm),
    tenth_hanging_ms: latencies(troubled),
    lost: 0,
    load_average: rounded(loadavg()[0] ?? 0),
  }
}

const latencies = (ms: readonly number[]) => ({
  events: ms.length,
  p50: rounded(percentile(ms, 0.5)),
  p99: rounded(percentile(ms, 0.99)),
  most: spreadOf(ms).most,
})

interface Rig {
  readonly receiver: Child<ReceiverHandlers>
  readonly calm: Child<EngineHandlers>
  readonly troubled: Child<EngineHandlers>
  readonly webhooks: number
  /** The first so many webhooks; the rest hang in the troubled engine. */
  readonly healthy: number
}

/** Milliseconds from event to arrival, of the healthy webhooks. */
interface Round {
  readonly calm: readonly number[]
  readonly troubled: readonly number[]
}

/** Throws where an event of a healthy webhook did not come, or came twice. */
async function round(rig: Rig, seconds: number): Promise<Round> {
  const { receiver, webhooks, healthy } = rig
  await receiver.call('begin', { ids: true, secret })
  const offer = async (engine: Child<EngineHandlers>) => {
    const all = await engine.call('offer', { seconds, perSecond, webhooks })
    return all.filter(({ webhook }) => webhook < healthy)
  }
  const [calm, troubled] = await Promise.all([offer(rig.calm), offer(rig.troubled)])
  const ids = [...calm, ...troubled].map(({ id }) => id)
  const { missing } = await receiver.call('awaitIds', { ids, timeoutMs: patienceMs })
  const { repeated, wrong } = await receiver.call('arrivals', undefined)
  if (missing > 0 || repeated > 0 || wrong.length > 0) {
    throw new Error(`${missing} events did not come, ${repeated} came twice; ${wrong.join()}`)
  }
  const times = await receiver.call('times', undefined)
  const latency = ({ id, at }: Offered) => (times.get(id) ?? Number.NaN) - at
  return { calm: calm.map(latency), troubled: troubled.map(latency) }
}
