import { pause } from '#server/pipeline/pause.ts'
import type { StepOf, WalkPlace } from '#server/store/bulk.ts'

export interface WalkLimits {
  /** Begins no further step after so many milliseconds; Infinity: to the end. */
  readonly forMs: number
  readonly signal: AbortSignal
  /** Told the rows changed so far, after each step. */
  readonly onStep?: (changed: number) => void
}

export interface WalkResult {
  readonly changed: number
  /** Where to go on; null: everything is done. */
  readonly rest: WalkPlace | null
}

const rowsAtOnce = 200
/** Between two steps: the write connection is everybody's, and first the deliverer's. */
const pauseMs = 5

/** Takes steps until nothing is left, the time is over or the signal aborts; at least one. */
export async function takeSteps(
  step: StepOf,
  from: WalkPlace,
  { forMs, signal, onStep }: WalkLimits,
): Promise<WalkResult> {
  const end = performance.now() + forMs
  let changed = 0
  let walk = from
  for (;;) {
    const done = await step(walk, rowsAtOnce)
    changed += done.changed
    onStep?.(changed)
    if (done.next === null) return { changed, rest: null }
    walk = { ...walk, after: done.next }
    await pause(pauseMs, signal)
    if (signal.aborted || performance.now() >= end) return { changed, rest: walk }
  }
}
