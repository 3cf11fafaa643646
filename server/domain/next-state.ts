/**
 * What becomes of a delivery after an attempt:
 *
 *   leased ── 2xx ───────────────────────> delivered
 *     ├────── 410 ───────────────────────> exhausted, and its webhook is disabled (`gone`)
 *     ├────── any other failure, tries left ─> pending, due after the pause of `backoff.ts`
 *     └────── any other failure, none left ──> exhausted
 *
 * The kind of failure decides what people are told and not whether it is tried again: a wrong certificate, a name that
 * does not resolve and a redirect get mended too. The tries are the first one and the webhook's `retries`; a failed
 * probe of the circuit breaker is none of them, or an outage would use up the tries of what happens to be probed with.
 */
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { delayBeforeRetry, longestRetryAfterMs, parseRetryAfter } from '#server/domain/backoff.ts'

/** `decision` is one sentence for a person: why it is or is not tried again. */
export type NextState =
  | { readonly state: 'delivered'; readonly decision: string }
  | {
      readonly state: 'pending'
      /** Epoch milliseconds. */
      readonly dueAt: number
      readonly decision: string
      /** It was one of the webhook's tries. */
      readonly counts: boolean
    }
  | {
      readonly state: 'exhausted'
      readonly decision: string
      /** Why the webhook must be disabled with it; null: it stays as it is. */
      readonly disableWebhook: 'gone' | null
    }

export interface Situation {
  /** How many of its tries the delivery has had, with this one; since it was last sent again. */
  readonly attemptsDone: number
  /** How many attempts it ever had, with this one. */
  readonly attemptsEver: number
  /** It was the probe of an open circuit breaker. */
  readonly probe: boolean
  /** The webhook's setting: tries after the first one. */
  readonly retries: number
  /** Epoch milliseconds. */
  readonly now: number
  /** In [0, 1). */
  readonly random: number
}

/** Probes that cost no try end somewhere: nobody looks through thousands of attempts of one delivery. */
const mostAttempts = 1_000

export function nextState(
  outcome: Pick<AttemptOutcome, 'ok' | 'statusCode' | 'retryAfter'> &
    Partial<Pick<AttemptOutcome, 'error'>>,
  { attemptsDone, attemptsEver, probe, retries, now, random }: Situation,
): NextState {
  if (outcome.ok) return { state: 'delivered', decision: 'Delivered.' }
  // A token endpoint that is gone is not the receiver.
  if (outcome.statusCode === 410 && outcome.error !== 'token') {
    return {
      state: 'exhausted',
      decision:
        'Not tried again: the receiver answered that it is gone, so the webhook is disabled.',
      disableWebhook: 'gone',
    }
  }
  const tries = retries + 1
  const asked = outcome.retryAfter === null ? null : parseRetryAfter(outcome.retryAfter, now)
  const delay = delayBeforeRetry(attemptsDone, random, asked)
  if (probe && retries > 0 && attemptsEver < mostAttempts) {
    return {
      state: 'pending',
      dueAt: now + delay,
      decision: 'It was the probe of the open circuit breaker, so it counts as none of the tries.',
      counts: false,
    }
  }
  if (attemptsDone >= tries) {
    return {
      state: 'exhausted',
      decision: `Given up: ${tries === 1 ? 'the webhook has no retries' : `all ${tries} tries failed`}.`,
      disableWebhook: null,
    }
  }
  return {
    state: 'pending',
    dueAt: now + delay,
    decision: `Try ${attemptsDone + 1} of ${tries} follows in ${durationText(delay)}${reason(asked, delay)}.`,
    counts: true,
  }
}

/** Why the pause is not that of the schedule, where the receiver made it so. */
function reason(askedMs: number | null, delayMs: number): string {
  if (askedMs === null || Math.min(askedMs, longestRetryAfterMs) < delayMs) return ''
  if (askedMs > longestRetryAfterMs) return ', the longest that a receiver can ask for'
  return ', as the receiver asked'
}

const units = [
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1000 },
] as const

/** The two largest units that say something: `2 min 5 s`, `8 h`, `0 s`. */
function durationText(ms: number): string {
  let rest = Math.round(ms / 1000) * 1000
  const parts: string[] = []
  for (const unit of units) {
    const count = Math.floor(rest / unit.ms)
    rest -= count * unit.ms
    if (count > 0 && parts.length < 2) parts.push(`${count} ${unit.name}`)
  }
  return parts.length === 0 ? '0 s' : parts.join(' ')
}
