import { errors } from 'undici'
import type { AttemptError } from '#contracts/delivery.ts'

/** What went wrong, in a class for programs and in one sentence for a person. */
export interface Failure {
  readonly error: AttemptError
  readonly errorDetail: string
}

/** A connection that could not be made, for a reason that is not ours. The message is for a person. */
export class ConnectFailure extends Error {
  readonly error: AttemptError

  constructor(error: AttemptError, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConnectFailure'
    this.error = error
  }
}

/** The egress proxy failed: ours, so no attempt of the receiver. The message is for the log. */
export class ProxyFailure extends Error {
  override readonly name = 'ProxyFailure'
}

/** Codes of what this machine ran out of. A receiver must not be blamed, let alone be disabled, for them. */
const ourCodes = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'])

export function isOurFailure(error: unknown): boolean {
  return ourCodes.has(codeOf(error))
}

/** Codes with which an established connection ends before its time. */
const lostCodes = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'UND_ERR_SOCKET',
])

/** undici's messages for a connection that it ended itself, because of what came over it. */
const invalidMessages = new Set(['bad response', 'bad upgrade'])

/**
 * The receiver's failure that an error of undici or of the socket stands for; null: it is ours.
 * `answered` says whether the headers of the answer had come.
 */
export function failureOf(thrown: unknown, answered: boolean): Failure | null {
  if (thrown instanceof ConnectFailure) {
    return { error: thrown.error, errorDetail: thrown.message }
  }
  if (!(thrown instanceof Error)) return null
  const code = codeOf(thrown)
  if (code === 'UND_ERR_HEADERS_OVERFLOW') {
    return { error: 'response_invalid', errorDetail: 'The headers of the answer are too large.' }
  }
  if (code === 'UND_ERR_SOCKET' && invalidMessages.has(thrown.message)) {
    return {
      error: 'response_invalid',
      errorDetail: 'The receiver sent an answer that nobody had asked for.',
    }
  }
  // Before the end of the headers undici's words for a wrong length, after it for an end before its time.
  if (code.startsWith('ERR_HTTP2_') || code === 'UND_ERR_INFO') {
    return overHttp2(thrown.message, code, answered)
  }
  const cut = code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
  if (lostCodes.has(code) || (cut && answered)) {
    return { error: 'connection_lost', errorDetail: lost(code, answered) }
  }
  if (thrown instanceof errors.HTTPParserError || cut) {
    return { error: 'response_invalid', errorDetail: notHttp(thrown.message) }
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return { error: 'tls', errorDetail: `The receiver ended TLS: ${thrown.message} (${code}).` }
  }
  return null
}

/** Streams that were reset, connections that said goodbye, frames that are none. */
function overHttp2(message: string, code: string, answered: boolean): Failure {
  return code === 'ERR_HTTP2_ERROR'
    ? { error: 'response_invalid', errorDetail: `The answer is not HTTP/2 (${message}).` }
    : { error: 'connection_lost', errorDetail: lost(code, answered) }
}

function lost(code: string, answered: boolean): string {
  const how = code === 'ECONNRESET' || code === 'EPIPE' ? 'reset' : 'closed'
  return `The connection was ${how} before ${answered ? 'the answer was complete' : 'an answer came'}.`
}

/** The parser gives its reason in brackets at the end. */
function notHttp(message: string): string {
  const reason = /\(([^()]+)\)$/.exec(message)?.[1] ?? 'contradictory lengths'
  return `The answer is not HTTP/1.1 (${reason}).`
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : ''
}
