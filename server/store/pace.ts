/**
 * How fast webhooks are: what a lane may have in the memory of the deliverer beyond its room is what its receiver takes
 * in a second or so. A receiver that is slow, failing or not known yet gets nothing ahead, so that what is switched off,
 * changed or cancelled does not go out long after.
 *
 * A failure sends back what is ahead. So no more goes ahead than there were successes since the last one: the work of
 * sending back stays less than that of sending. A webhook that refused one in four was served 15 times slower without it.
 */
import { LRUCache } from 'lru-cache'

/** By webhook; without those whose last attempt failed. */
export type Pace = LRUCache<string, Kept>

export interface Kept {
  /** Of an attempt, a running mean. */
  readonly ms: number
  /** Successes since the last failure. */
  readonly successes: number
}

const secondMs = 1_000
/** What the newest attempt counts. */
const weight = 0.1
/** Each takes some hundred bytes; those at rest are learnt again. */
const webhooksKept = 20_000

export function createPace(): Pace {
  return new LRUCache({ max: webhooksKept })
}

export function notePace(pace: Pace, webhookId: string, ok: boolean, durationMs: number): void {
  if (!ok) {
    pace.delete(webhookId)
    return
  }
  const known = pace.get(webhookId)
  if (known === undefined) {
    pace.set(webhookId, { ms: durationMs, successes: 1 })
    return
  }
  const ms = known.ms + (durationMs - known.ms) * weight
  pace.set(webhookId, { ms, successes: known.successes + 1 })
}

/** Its receiver takes so long that the webhook must not have slots that quick ones could use. */
export function isSlow(pace: Pace, webhookId: string): boolean {
  return (pace.get(webhookId)?.ms ?? 0) > secondMs
}

/** How many deliveries more than its room a lane may have leased, `most` at most. */
export function aheadOf(pace: Pace, webhookId: string, concurrency: number, most: number): number {
  const known = pace.get(webhookId)
  if (known === undefined) return 0
  return Math.min(
    most,
    known.successes,
    Math.floor((concurrency * secondMs) / Math.max(known.ms, 1)),
  )
}
