import { isIP, type Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { ConnectFailure, isOurFailure, ProxyFailure } from '#server/outbound/failure.ts'
import type { Opening, Stage } from '#server/outbound/line.ts'

/** A connection in the making: where it stands, how long each step took, and its end by time or by cancelling. */
export interface Making {
  readonly opening: Opening
  readonly port: number
  /**
   * Waits for a step, until the making is cancelled; the socket ends where the step fails. Null as stage: a look that
   * belongs to the stage before.
   */
  readonly during: <T>(stage: Stage | null, socket: Socket | null, step: Promise<T>) => Promise<T>
  /** The peer's address is known from now on. */
  readonly reached: (socket: Socket) => void
  /** The connection stands or has failed: nothing of the making is left behind. */
  readonly end: () => void
  /** What an error of a step means. */
  readonly failure: (error: unknown) => Error
}

export function startMaking(
  { hostname, port: portText, protocol }: buildConnector.Options,
  timeoutMs: number,
): Making {
  const port = Number(portText || (protocol === 'https:' ? 443 : 80))
  const where = `${hostname}:${port}`
  const steps = stepClock(isIP(hostname) === 0 ? 'dns' : 'tcp')
  const cancelled = Promise.withResolvers<never>()
  // It may be cancelled while nothing is waited for.
  cancelled.promise.catch(() => undefined)
  let remoteAddress: string | null = null
  const timer = setTimeout(
    () => cancelled.reject(slowConnect(steps.stage(), where, timeoutMs)),
    timeoutMs,
  )
  return {
    port,
    opening: {
      begunAt: steps.begunAt,
      stage: steps.stage,
      steps: steps.taken,
      remoteAddress: () => remoteAddress,
      cancel: cancelled.reject,
    },
    async during(stage, socket, step) {
      if (stage !== null) steps.enter(stage)
      try {
        const result = await Promise.race([step, cancelled.promise])
        if (stage !== null) steps.leave()
        return result
      } catch (error) {
        socket?.destroy()
        throw error
      }
    },
    reached: (socket) => {
      remoteAddress = socket.remoteAddress ?? null
    },
    end: () => clearTimeout(timer),
    failure: (error) => failureAt(steps.stage(), where, error),
  }
}

function stepClock(first: Stage) {
  const begunAt = performance.now()
  const took: Record<Stage, number | null> = { dns: null, proxy: null, tcp: null, tls: null }
  let stage = first
  let since = begunAt
  return {
    begunAt,
    stage: () => stage,
    taken: () => ({
      dnsMs: took.dns,
      connectMs: took.tcp === null ? null : took.tcp + (took.proxy ?? 0),
      tlsMs: took.tls,
    }),
    enter(next: Stage) {
      stage = next
      since = performance.now()
    },
    leave() {
      took[stage] = (took[stage] ?? 0) + performance.now() - since
    },
  }
}

/** Why a connection that is still being made counts as failed after `ms`. Null: nobody knows where it stands. */
export function slowConnect(stage: Stage | null, where: string, ms: number): Error {
  const within = `within ${ms / 1000} s`
  switch (stage) {
    case 'dns':
      return new ConnectFailure('dns', `The name of ${where} could not be resolved ${within}.`)
    case 'tls':
      return new ConnectFailure('tls', `${where} did not complete the TLS handshake ${within}.`)
    case 'proxy':
      return new ProxyFailure(`There was no connection to the proxy ${within}.`)
    case 'tcp':
    case null:
      return new ConnectFailure('connect_timeout', `No connection to ${where} ${within}.`)
  }
}

function failureAt(stage: Stage, where: string, thrown: unknown): Error {
  const cause: Error & { code?: string } = thrown instanceof Error ? thrown : new Error('unknown')
  if (cause instanceof ConnectFailure || cause instanceof ProxyFailure) return cause
  if (isOurFailure(cause)) return cause
  const code = cause.code ?? cause.name
  switch (stage) {
    case 'dns':
      // Nobody to ask: that is the network of this machine, and says nothing of the receiver.
      if (code === 'ECONNREFUSED') return new Error('No name server can be reached.', { cause })
      return new ConnectFailure('dns', `The name of ${where} cannot be resolved (${code}).`, {
        cause,
      })
    case 'tls':
      return new ConnectFailure('tls', tlsSentence(where, code, cause.message), { cause })
    case 'proxy':
    case 'tcp':
      return new ConnectFailure(...tcpSentence(where, code), { cause })
  }
}

function tcpSentence(where: string, code: string): ['connect_timeout' | 'connect_refused', string] {
  if (code === 'ETIMEDOUT') {
    return ['connect_timeout', `No connection to ${where}: it does not answer.`]
  }
  return [
    'connect_refused',
    code === 'ECONNREFUSED'
      ? `${where} refuses the connection.`
      : `No connection to ${where} is possible (${code}).`,
  ]
}

function tlsSentence(where: string, code: string, message: string): string {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return `${where} does not speak TLS; is the address http:// or another port?`
  }
  if (code === 'ECONNRESET') return `${where} broke off the TLS handshake.`
  return `TLS with ${where} failed: ${message} (${code}).`
}
