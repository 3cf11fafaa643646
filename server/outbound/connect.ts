import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { buildConnector } from 'undici'
import { ConnectFailure, isOurFailure } from '#server/outbound/failure.ts'
import type { LineConnector, Opening, OpeningSteps, Stage } from '#server/outbound/line.ts'

export interface ConnectSettings {
  /** Certificates (PEM) of authorities to trust instead of the usual ones; null: the usual ones. */
  readonly ca: readonly string[] | null
  readonly timeoutMs: number
}

type Target = Pick<buildConnector.Options, 'hostname' | 'port' | 'protocol'>

/**
 * Receivers on another continent are farther than the 250 ms after which Node drops an address that has not answered
 * and takes the next one, never to come back to it.
 */
const nextAddressAfterMs = 1000

/** Whom a connection goes to, by which name resolution, and how: all that a guard must rule stands here. */
function socketOptions({ hostname, port, protocol }: Target): TcpNetConnectOpts {
  return {
    host: hostname,
    port: Number(port || (protocol === 'https:' ? 443 : 80)),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: nextAddressAfterMs,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  }
}

function tlsOptions(hostname: string, ca: ConnectSettings['ca']): ConnectionOptions {
  return {
    ALPNProtocols: ['http/1.1'],
    ...(ca === null ? {} : { ca: [...ca] }),
    // SNI has names only (RFC 6066); the certificate is checked against the host in any case.
    ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
  }
}

/**
 * undici's own connector would do but for two things that only the socket tells: how far a connection came when it
 * failed, and a way to give up on one that nobody waits for any more.
 */
export function createConnector(settings: ConnectSettings): LineConnector {
  return (target, begun, callback) => {
    const { hostname } = target
    const options = socketOptions(target)
    const secure = target.protocol === 'https:'
    const where = `${hostname}:${options.port}`
    const steps = stepClock(isIP(hostname) === 0 ? 'dns' : 'tcp')
    let pending = true

    const socket: Socket = secure
      ? connectTls({ ...options, ...tlsOptions(hostname, settings.ca) })
      : connectTcp(options)
    const opening: Opening = {
      begunAt: steps.begunAt,
      stage: steps.stage,
      steps: steps.taken,
      cancel: (reason) => {
        if (pending) socket.destroy(reason)
      },
    }
    socket.once('lookup', (error: Error | null) => {
      if (!error) steps.next('tcp')
    })
    if (secure) socket.once('connect', () => steps.next('tls'))
    socket.setTimeout(settings.timeoutMs, () =>
      opening.cancel(slowConnect(steps.stage(), where, settings.timeoutMs)),
    )
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      pending = false
      steps.next(null)
      socket.setTimeout(0)
      callback(null, socket)
    })
    // Stays for the life of the socket: an 'error' without a listener would end the process.
    socket.on('error', (error) => {
      if (!pending) return
      pending = false
      callback(isOurFailure(error) ? error : connectFailure(steps.stage(), where, error), null)
    })
    begun(opening)
  }
}

/** Where the making of a connection is, and how long its steps took. */
function stepClock(first: Stage) {
  const begunAt = performance.now()
  const took: Record<Stage, number | null> = { dns: null, tcp: null, tls: null }
  let stage = first
  let since = begunAt
  return {
    begunAt,
    stage: () => stage,
    taken: (): OpeningSteps => ({ dnsMs: took.dns, connectMs: took.tcp, tlsMs: took.tls }),
    /** Ends the stage; null: it was the last. */
    next(following: Stage | null) {
      const now = performance.now()
      took[stage] = now - since
      since = now
      if (following !== null) stage = following
    },
  }
}

/** Why a connection that is still being made counts as failed after `ms`. */
export function slowConnect(stage: Stage | null, where: string, ms: number): ConnectFailure {
  const within = `within ${ms / 1000} s`
  switch (stage) {
    case 'dns':
      return new ConnectFailure('dns', `The name of ${where} could not be resolved ${within}.`)
    case 'tls':
      return new ConnectFailure('tls', `${where} did not complete the TLS handshake ${within}.`)
    case 'tcp':
    case null:
      return new ConnectFailure('connect_timeout', `No connection to ${where} ${within}.`)
  }
}

function connectFailure(stage: Stage, where: string, cause: Error & { code?: string }): Error {
  if (cause instanceof ConnectFailure) return cause
  const code = cause.code ?? cause.name
  switch (stage) {
    case 'dns':
      return new ConnectFailure('dns', `The name of ${where} cannot be resolved (${code}).`, {
        cause,
      })
    case 'tls':
      return new ConnectFailure('tls', tlsSentence(where, code, cause.message), { cause })
    case 'tcp':
      if (code === 'ETIMEDOUT') {
        return new ConnectFailure(
          'connect_timeout',
          `No connection to ${where}: it does not answer.`,
          {
            cause,
          },
        )
      }
      return new ConnectFailure(
        'connect_refused',
        code === 'ECONNREFUSED'
          ? `${where} refuses the connection.`
          : `No connection to ${where} is possible (${code}).`,
        { cause },
      )
  }
}

function tlsSentence(where: string, code: string, message: string): string {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return `${where} does not speak TLS; is the address http:// or another port?`
  }
  if (code === 'ECONNRESET') return `${where} broke off the TLS handshake.`
  return `TLS with ${where} failed: ${message} (${code}).`
}
