import type { AttemptError } from '#contracts/delivery.ts'

/** What came of one request to a receiver. A receiver's failure is such a value too, never an exception. */
export interface AttemptOutcome {
  /** The receiver answered 2xx, and within the time. */
  readonly ok: boolean
  /** Null: no answer came, or none that is HTTP. */
  readonly statusCode: number | null
  /** Null exactly when `ok`. */
  readonly error: AttemptError | null
  /** One sentence for a person; null exactly when `ok`. */
  readonly errorDetail: string | null
  /** Names in lower case; a header that came several times is joined by `, `. Null: no answer. */
  readonly responseHeaders: Readonly<Record<string, string>> | null
  /** What was read of it as UTF-8, bytes that are none replaced; null: no answer. */
  readonly responseBody: string | null
  /** The answer was longer than what is kept. */
  readonly responseTruncated: boolean
  /** Whole milliseconds from the start to the end of the answer, or to the failure. */
  readonly durationMs: number
  readonly timings: AttemptTimings
  /** The header `Retry-After` as the receiver wrote it. */
  readonly retryAfter: string | null
}

/** Whole milliseconds since the start of the attempt; null: it did not come so far. */
export interface AttemptTimings {
  /** A connection was ready (name resolved, connected, TLS agreed); about 0 where one was open already. */
  readonly connectedMs: number | null
  /** The status and the headers of the answer were there. */
  readonly answeredMs: number | null
}
