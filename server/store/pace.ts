/**
 * How fast webhooks are: what a lane may have in the memory of the deliverer beyond its room is what its receiver takes
 * in a second or so. A receiver that is slow, failing or not known yet gets nothing ahead, so that what is switched off,
 * changed or cancelled does not go out long after.
 */

/** Milliseconds of an attempt by webhook, a running mean; without those whose last attempt failed. */
export type Pace = Map<string, number>

const secondMs = 1_000
/** What the newest attempt counts. */
const weight = 0.1
/** Each takes some hundred bytes; those at rest are learnt again. */
const webhooksKept = 20_000

export function notePace(pace: Pace, webhookId: string, ok: boolean, durationMs: number): void {
  if (!ok) {
    pace.delete(webhookId)
    return
  }
  const known = pace.get(webhookId)
  if (known === undefined && pace.size >= webhooksKept) pace.clear()
  pace.set(webhookId, known === undefined ? durationMs : known + (durationMs - known) * weight)
}

/** How many deliveries more than its room a lane may have leased, `most` at most. */
export function aheadOf(pace: Pace, webhookId: string, concurrency: number, most: number): number {
  const ms = pace.get(webhookId)
  if (ms === undefined) return 0
  return Math.min(most, Math.floor((concurrency * secondMs) / Math.max(ms, 1)))
}
