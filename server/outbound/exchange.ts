import { STATUS_CODES } from 'node:http'
import type { Dispatcher } from 'undici'
import type { AttemptOutcome, AttemptTimings } from '#server/domain/attempt-outcome.ts'
import { redactUrl } from '#server/domain/redact.ts'
import { type BodyCapture, createBodyCapture } from '#server/outbound/body-capture.ts'
import { type Failure, failureOf } from '#server/outbound/failure.ts'
import type { Line, LineHandler } from '#server/outbound/line.ts'
import { slowConnect } from '#server/outbound/making.ts'

/** How much of an answer is kept. */
export const keptBodyBytes = 64 * 1024

/**
 * One request and its answer, from the first look at the name of the host to the last byte:
 *
 *   connecting ── connected ──> sent ── headers ──> answering ── end, or more than is kept ──> settled
 *        └───────────────┴───────────────┴── failure, or the time is over ───────────────────────^
 *
 * It settles once. What comes afterwards changes nothing, and nothing is sent any more.
 */
export interface Exchange {
  readonly outcome: Promise<AttemptOutcome>
  readonly handler: LineHandler
}

interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
}

/** How far an exchange has come. */
interface Seen {
  /** By `performance.now()`. */
  readonly startedAt: number
  line: Line | null
  answeredMs: number | null
  answer: Answer | null
  readonly body: BodyCapture
}

/** Begins the clock: `timeoutMs` is for everything. `where` is the host and port, for people. */
export function startExchange(where: string, timeoutMs: number): Exchange {
  const startedAt = performance.now()
  const elapsed = () => Math.round(performance.now() - startedAt)
  const { promise, resolve, reject } = Promise.withResolvers<AttemptOutcome>()
  const seen: Seen = {
    startedAt,
    line: null,
    answeredMs: null,
    answer: null,
    body: createBodyCapture(keptBodyBytes),
  }
  let controller: Dispatcher.DispatchController | null = null
  let settled = false

  function settle(failure: Failure | null, truncated = false): void {
    settled = true
    clearTimeout(deadline)
    const outcome = outcomeOf(seen, failure, truncated, elapsed())
    // undici takes a connection back one turn of the event loop after its answer, and asks for that turn when it is
    // done with this one. A caller that sent the next request sooner would be given a new connection.
    queueMicrotask(() => setImmediate(resolve, outcome))
  }

  function fail(error: Error): void {
    const failure = failureOf(error, seen.answer !== null)
    // Ours: the promise, once rejected, stays so, and settling ends the rest.
    if (failure === null) reject(error)
    settle(failure)
  }

  /** Nobody waits for this exchange any more: its connection, or the making of it, ends. */
  function breakOff(reason: Error): void {
    if (controller === null) leaveLine(reason)
    else controller.abort(reason)
  }

  let waiting: Line | null = null
  function leaveLine(reason: Error | null): void {
    if (reason === null) waiting?.started()
    else waiting?.giveUp(reason)
    waiting = null
  }

  function expire(): void {
    if (settled) return
    if (controller === null) {
      const error = slowConnect(seen.line?.opening()?.stage() ?? null, where, timeoutMs)
      fail(error)
      breakOff(error)
    } else {
      // Over HTTP/2 the connection may be dead without anybody having said so, and others would go on using it.
      if (seen.answer === null) seen.line?.retire()
      settle(slowAnswer(seen.answer, timeoutMs))
      breakOff(new Error('The time of the attempt is over.'))
    }
  }
  // Timers run before sockets are read: where this process itself stood still, the answer may be waiting there.
  const deadline = setTimeout(() => setImmediate(expire), timeoutMs)

  const handler: LineHandler = {
    onLine(line) {
      seen.line = line
      waiting = line
    },
    onRequestStart(started) {
      controller = started
      leaveLine(null)
      // The connection came too late; the receiver must not get what counts as not sent.
      if (settled) started.abort(new Error('The attempt is over.'))
    },
    onResponseStart(_controller, statusCode, headers) {
      if (settled || statusCode < 200) return
      seen.answeredMs = elapsed()
      seen.answer = { statusCode, headers: joined(headers) }
    },
    onResponseData(_controller, chunk) {
      if (settled || seen.body.add(chunk)) return
      settle(failureOfAnswer(seen.answer), true)
      breakOff(new Error('The answer is longer than what is kept of it.'))
    },
    onResponseEnd() {
      if (!settled) settle(failureOfAnswer(seen.answer))
    },
    onResponseError(_controller, error) {
      leaveLine(null)
      if (!settled) fail(error)
    },
  }
  return { outcome: promise, handler }
}

function outcomeOf(
  seen: Seen,
  failure: Failure | null,
  truncated: boolean,
  durationMs: number,
): AttemptOutcome {
  const { answer, body, line } = seen
  return {
    ok: failure === null,
    statusCode: answer?.statusCode ?? null,
    error: failure?.error ?? null,
    errorDetail: failure?.errorDetail ?? null,
    responseHeaders: answer?.headers ?? null,
    responseBody: answer === null ? null : body.text(),
    responseTruncated: truncated,
    durationMs,
    timings: timingsOf(seen),
    remoteAddress: line?.opening()?.remoteAddress() ?? null,
    httpVersion: line?.httpVersion() ?? null,
    retryAfter: answer?.headers['retry-after'] ?? null,
  }
}

function timingsOf({ startedAt, line, answeredMs }: Seen): AttemptTimings {
  const opening = line?.opening() ?? null
  // One that was begun before this exchange was made for another: nothing of it is this one's time.
  const steps = opening !== null && opening.begunAt >= startedAt ? opening.steps() : null
  return {
    dnsMs: wholeMs(steps?.dnsMs),
    connectMs: wholeMs(steps?.connectMs),
    tlsMs: wholeMs(steps?.tlsMs),
    firstByteMs: answeredMs,
  }
}

function wholeMs(ms: number | null | undefined): number | null {
  return ms === null || ms === undefined ? null : Math.round(ms)
}

function slowAnswer(answer: Answer | null, timeoutMs: number): Failure {
  const what =
    answer === null ? 'No answer came' : `The answer (${answer.statusCode}) was not complete`
  return { error: 'timeout', errorDetail: `${what} within ${timeoutMs / 1000} s.` }
}

/** Null for 2xx. */
function failureOfAnswer(answer: Answer | null): Failure | null {
  if (answer === null) throw new Error('An answer has ended that never began.')
  const { statusCode, headers } = answer
  if (statusCode >= 200 && statusCode < 300) return null
  if (statusCode >= 300 && statusCode < 400) {
    const { location } = headers
    const to = location === undefined ? '' : ` to ${shortUrl(location)}`
    return {
      error: 'redirect',
      errorDetail: `The receiver redirects (${statusCode})${to}; redirects are not followed, so the URL of the webhook must be the final one.`,
    }
  }
  const name = STATUS_CODES[statusCode]
  return {
    error: 'status',
    errorDetail: `The receiver answered ${statusCode}${name === undefined ? '' : ` (${name})`}.`,
  }
}

/** A `Location` may be relative, and it may be anything. */
function shortUrl(location: string): string {
  const shown = URL.canParse(location) ? redactUrl(location) : location
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}

function joined(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Readonly<Record<string, string>> {
  if (Object.values(headers).every((value) => typeof value === 'string')) {
    return headers as Readonly<Record<string, string>>
  }
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  )
}
