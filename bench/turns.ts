/** Two engines that are alike but for one thing, held against each other: they take turns in short rounds. */
import type { BenchOptions } from '#bench/bench.ts'
import {
  againstNeighbours,
  type Engine,
  type EngineRound,
  engineRound,
  type Receiver,
  speedOf,
  wholeBatches,
} from '#bench/rounds.ts'
import { median, rounded, spreadOf } from '#bench/statistics.ts'

interface Pair {
  readonly receiver: Receiver
  readonly base: Engine
  readonly other: Engine
  /** As `RoundRequest`. */
  readonly calls?: number
}

/** `ratio`: of events per second, `cpu_ratio`: of CPU time per event the other way round; 1 is no difference. */
export async function takeTurns(
  { receiver, base, other, calls }: Pair,
  quick: boolean,
  tell: BenchOptions['tell'],
) {
  const speed = speedOf(await engineRound({ receiver, engine: base }, quick ? 1_200 : 4_800, calls))
  const events = wholeBatches(speed * (quick ? 1.2 : 5))
  const bases = [await engineRound({ receiver, engine: base }, events, calls)]
  const others: EngineRound[] = []
  for (let i = 0; i < (quick ? 3 : 8); i += 1) {
    others.push(await engineRound({ receiver, engine: other }, events, calls))
    bases.push(await engineRound({ receiver, engine: base }, events, calls))
    const [a, b] = [bases.at(-1) as EngineRound, others.at(-1) as EngineRound]
    tell(`base ${Math.round(speedOf(a))}/s, other ${Math.round(speedOf(b))}/s`)
  }
  const perSecond = bases.map(speedOf)
  const ratios = others.map((round, i) => {
    const [before = Number.NaN, after = Number.NaN] = perSecond.slice(i, i + 2)
    return againstNeighbours(speedOf(round), before, after)
  })
  const cpu = (rounds: readonly EngineRound[]) => median(rounds.map((round) => round.cpuMicros))
  return {
    ratio: spreadOf(ratios),
    cpu_ratio: rounded(cpu(bases) / cpu(others)),
    base_per_second: spreadOf(perSecond),
    other_per_second: spreadOf(others.map(speedOf)),
  }
}
