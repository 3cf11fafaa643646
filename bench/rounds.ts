/** Rounds of the yardstick and of engines, each of them checked: a round that lost or repeated something throws. */
import type { Child } from '#bench/child.ts'
import type { EngineHandlers, Round } from '#bench/engine-process.ts'
import type { Arrivals, ReceiverHandlers } from '#bench/receiver-process.ts'
import { benchSecret } from '#bench/signed-requests.ts'
import type { YardstickHandlers, YardstickRun } from '#bench/yardstick-process.ts'

export type Receiver = Child<ReceiverHandlers>
export type Engine = Child<EngineHandlers>
export type Yardstick = Child<YardstickHandlers>

/** A whole number of calls, so that every batch of the source is full. */
export const wholeBatches = (events: number): number => Math.max(1, Math.ceil(events / 60)) * 60

export const speedOf = (run: { readonly count: number; readonly seconds: number }): number =>
  run.count / run.seconds

/** `perSecond` against the mean of what its neighbours in time did: `before` and `after` it. */
export const againstNeighbours = (perSecond: number, before: number, after: number): number =>
  perSecond / ((before + after) / 2)

export async function yardstickRound(
  { receiver, yardstick }: { readonly receiver: Receiver; readonly yardstick: Yardstick },
  count: number,
  how: 'run' | 'runEveryday' = 'run',
): Promise<YardstickRun> {
  // The receiver notes ids here too, so that it works as much for the one as for the other.
  await receiver.call('begin', { ids: true, secret: null })
  const run = await yardstick.call(how, count)
  const came = await receiver.call('arrivals', undefined)
  if (came.requests !== run.count || came.wrong.length > 0) {
    throw new Error(`the yardstick sent ${run.count}: ${JSON.stringify(came)}`)
  }
  return run
}

export type EngineRound = Round & Pick<Arrivals, 'connections' | 'verified'>

/**
 * How many events the source keeps on their way. Capture waits for no delivery at all; this is less than what the
 * deliverer takes ahead of its slots, so that throughput is measured and not a backlog.
 */
const outstanding = 1_024

/** Throws unless every event arrived, once, signed, and all outcomes are written down. */
export async function engineRound(
  { receiver, engine }: { readonly receiver: Receiver; readonly engine: Engine },
  events: number,
  calls?: number,
): Promise<EngineRound> {
  await receiver.call('begin', { ids: true, secret: benchSecret })
  const round = await engine.call('round', { events, outstanding, ...(calls && { calls }) })
  const came = await receiver.call('arrivals', undefined)
  const whole = came.events === round.count && came.requests === round.count && came.verified > 0
  if (!whole || came.wrong.length > 0) {
    throw new Error(`${round.count} events were accepted: ${JSON.stringify(came)}`)
  }
  return { ...round, connections: came.connections, verified: came.verified }
}
