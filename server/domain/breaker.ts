/**
 * The circuit breaker of a webhook: what its receiver does to us decides whether we go on asking it.
 *
 *   closed ── 5 failures in a row, or 20 refusals ──> open (nothing is sent)
 *   open ── its pause is over, nothing under way ───> half_open (ONE request, the probe; `claim.ts` makes this step)
 *   half_open ── the probe failed ──────────────────> open, for twice as long
 *   any state ── a success, or a person ────────────> closed
 *
 * While it is open nothing is attempted, so deliveries wait and burn no tries; neither does a probe that fails. The
 * pauses grow to five minutes: that is the longest that events wait after their receiver has come back.
 */
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { parseRetryAfter } from '#server/domain/backoff.ts'

export type BreakerState = 'closed' | 'open' | 'half_open'

export interface Breaker {
  readonly state: BreakerState
  /** Failed attempts since the last success. */
  readonly failures: number
  /** When the first of them ended, epoch milliseconds; null: the last attempt succeeded, or there was none. */
  readonly failingSince: number | null
  /** When the next probe may go, epoch milliseconds; null: closed. */
  readonly until: number | null
  /** One sentence for a person; null: closed. */
  readonly reason: string | null
  /** How often it has opened since the last success: the pauses grow with it. */
  readonly opens: number
}

export const closedBreaker: Breaker = {
  state: 'closed',
  failures: 0,
  failingSince: null,
  until: null,
  reason: null,
  opens: 0,
}

/** What the breaker looks at in an outcome. */
export type BreakerOutcome = Pick<
  AttemptOutcome,
  'ok' | 'statusCode' | 'error' | 'errorDetail' | 'retryAfter'
>

/**
 * Failures in a row that open it. A receiver that answers 4xx is up and judges events: a few that it does not like must
 * not stop the others. Twenty in a row mean that it likes none, as with a wrong password.
 */
const opensAfter = { down: 5, refusing: 20 } as const

/** 408, 425 and 429 speak of the receiver's state, the other 4xx of the request. */
const notAboutTheRequest: ReadonlySet<number> = new Set([408, 425, 429])

function kindOf({ error, statusCode }: BreakerOutcome): keyof typeof opensAfter {
  // It answered as it does when it is up, that it does not want the record.
  if (error === 'refused') return 'refusing'
  const refusing =
    error === 'status' &&
    statusCode !== null &&
    statusCode >= 400 &&
    statusCode < 500 &&
    !notAboutTheRequest.has(statusCode)
  return refusing ? 'refusing' : 'down'
}

const second = 1000
const firstPause = 5 * second
const longestPause = 300 * second
const jitter = 0.2
/** A receiver may ask for more by `Retry-After`, but not for so much that nobody notices that it is back. */
const longestAsked = 3_600 * second

/** `opens` is 1 for the first pause; `random` is in [0, 1). Milliseconds. */
function pauseOf(opens: number, random: number): number {
  // Past 2^10 the pause has long been the longest; a power without bound would become Infinity.
  const pause = Math.min(firstPause * 2 ** Math.min(opens - 1, 10), longestPause)
  return Math.round(pause * (1 - jitter + 2 * jitter * random))
}

function askedPause({ statusCode, retryAfter }: BreakerOutcome, now: number): number {
  if ((statusCode !== 429 && statusCode !== 503) || retryAfter === null) return 0
  return Math.min(parseRetryAfter(retryAfter, now) ?? 0, longestAsked)
}

/** The breaker after an attempt. `now` is epoch milliseconds, `random` in [0, 1). */
export function afterOutcome(
  breaker: Breaker,
  outcome: BreakerOutcome,
  now: number,
  random: number,
): Breaker {
  if (outcome.ok) return closedBreaker
  const failures = breaker.failures + 1
  const failing = { ...breaker, failures, failingSince: breaker.failingSince ?? now }
  // What was under way when it opened says nothing new.
  if (breaker.state === 'open') return failing
  if (breaker.state === 'closed' && failures < opensAfter[kindOf(outcome)]) return failing
  const opens = breaker.opens + 1
  return {
    ...failing,
    state: 'open',
    opens,
    until: now + Math.max(pauseOf(opens, random), askedPause(outcome, now)),
    reason: `${failures} attempts in a row failed. The last one: ${outcome.errorDetail ?? 'no answer.'}`,
  }
}

/**
 * Whether the webhook should be disabled: nothing but failures for `disableAfterMs` (null: never). The breaker must
 * have opened too: two events a week apart that failed both are no proof.
 */
export function failsTooLong(
  { state, failingSince }: Breaker,
  now: number,
  disableAfterMs: number | null,
): boolean {
  if (disableAfterMs === null || state === 'closed' || failingSince === null) return false
  return now - failingSince >= disableAfterMs
}
