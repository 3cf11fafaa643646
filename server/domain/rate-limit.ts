/**
 * The rate limit of a webhook: a bucket that fills with time and holds a tenth of a second's worth of requests (at
 * least one). So the rate is exact over time, a claim that comes some milliseconds late loses nothing, and no second
 * has more than 1.1 times the rate (or one request more).
 *
 * Counted in thousandths of a request: in a millisecond at 7 requests per second come exactly 7 of them, and whole
 * numbers never drift.
 */
export interface Bucket {
  /** Requests per second, a whole number. */
  readonly rate: number
  /** Thousandths of a request that may be sent. */
  readonly tokens: number
  /** When `tokens` was true, epoch milliseconds. */
  readonly at: number
}

const perRequest = 1000

/**
 * A clock that is behind by less than this is another machine's: its milliseconds have been counted already. Behind by
 * more, a clock was set back, and waiting until it has caught up would stop the webhook for that long.
 */
const clocksDifferMs = 10_000

const fullOf = (rate: number) => Math.max(1, Math.floor(rate / 10)) * perRequest
/** On top comes what is earned while the claim is some milliseconds late: cut off, slow rates would run slower. */
const lateMs = 20
const capacityOf = (rate: number) => fullOf(rate) + Math.min(perRequest - 1, rate * lateMs)

/** A full bucket, nothing earned of the next request yet. */
export function newBucket(rate: number, now: number): Bucket {
  return { rate, tokens: fullOf(rate), at: now }
}

/** The bucket as it is at `now`. */
export function refilled({ rate, tokens, at }: Bucket, now: number): Bucket {
  const passed = now - at
  if (passed < 0) return { rate, tokens, at: passed > -clocksDifferMs ? at : now }
  return { rate, tokens: Math.min(capacityOf(rate), tokens + passed * rate), at: now }
}

/** Requests that may be sent at once. */
export function roomIn({ tokens }: Bucket): number {
  return Math.floor(tokens / perRequest)
}

/** The bucket after that many requests, at most `roomIn`. */
export function takenFrom(bucket: Bucket, requests: number): Bucket {
  return { ...bucket, tokens: bucket.tokens - requests * perRequest }
}

/** When the next request may be sent, epoch milliseconds. */
export function nextRequestAt({ rate, tokens, at }: Bucket): number {
  return at + Math.max(0, Math.ceil((perRequest - tokens) / rate))
}
