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
  /** The address that the connection went to, without port; null: there was no connection. Behind a proxy: the proxy's. */
  readonly remoteAddress: string | null
  /** What the connection speaks; null: there was no connection. */
  readonly httpVersion: HttpVersion | null
  /** The header `Retry-After` as the receiver wrote it. */
  readonly retryAfter: string | null
}

export type HttpVersion = '1.1' | '2'

/**
 * Where the time of an attempt went, in whole milliseconds. The first three are how long each step took; null: it was
 * not needed (the connection was open already, the host is an address, the URL is http://), or it did not end.
 */
export interface AttemptTimings {
  /** Looking up the name of the host. */
  readonly dnsMs: number | null
  /** Connecting to its address, behind a proxy the tunnel too. */
  readonly connectMs: number | null
  /** The TLS handshake. */
  readonly tlsMs: number | null
  /** From the start of the attempt to the status and headers of the answer; null: they did not come. */
  readonly firstByteMs: number | null
}

/** Of an attempt for which no request could be made; `detail` is one sentence. */
export function outcomeWithoutRequest(detail: string): AttemptOutcome {
  return {
    ok: false,
    statusCode: null,
    error: 'not_rendered',
    errorDetail: detail,
    responseHeaders: null,
    responseBody: null,
    responseTruncated: false,
    durationMs: 0,
    timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null },
    remoteAddress: null,
    httpVersion: null,
    retryAfter: null,
  }
}
