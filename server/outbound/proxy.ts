/**
 * An egress proxy: an HTTP proxy that tunnels (`CONNECT`), http:// receivers too, so that a connection through it is
 * like any other once it stands. It is the administrator's, so the guard does not look at its own address; and what
 * fails in it is ours: a receiver must not be disabled for it.
 */
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request, STATUS_CODES } from 'node:http'
import { isIP, type Socket } from 'node:net'
import { ConnectFailure, ProxyFailure } from '#server/outbound/failure.ts'

export interface EgressProxy {
  readonly host: string
  readonly port: number
  /** TLS to the proxy itself. */
  readonly secure: boolean
  /** The header `Proxy-Authorization`; null: the proxy asks for none. */
  readonly authorization: string | null
}

/** Throws where the text is no `http://` or `https://` address. */
export function proxyOf(text: string): EgressProxy {
  const url = URL.parse(text)
  const secure = url?.protocol === 'https:'
  if (url === null || (!secure && url.protocol !== 'http:')) {
    throw new Error('must be an http:// or https:// address')
  }
  const { hostname, port, username, password } = url
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    secure,
    authorization: username === '' ? null : `Basic ${Buffer.from(user).toString('base64')}`,
  }
}

/** A failure on the way to the proxy is not the receiver's. */
export async function inProxy<T>(step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (cause) {
    if (cause instanceof ProxyFailure) throw cause
    const why = cause instanceof Error ? cause.message : 'unknown'
    throw new ProxyFailure(`The proxy cannot be reached: ${why}.`, { cause })
  }
}

/** Asks the proxy for a tunnel; when it resolves, the socket is the receiver's. */
export async function openTunnel(
  socket: Socket,
  host: string,
  port: number,
  authorization: string | null,
): Promise<void> {
  const path = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  const asking: ClientRequest = request({
    method: 'CONNECT',
    path,
    headers: {
      host: path,
      ...(authorization === null ? {} : { 'proxy-authorization': authorization }),
    },
    createConnection: () => socket,
  })
  asking.end()
  const [answer, , head] = (await inProxy(once(asking, 'connect'))) as [
    IncomingMessage,
    Socket,
    Buffer,
  ]
  refuse(answer, path)
  // A receiver that speaks first: what came with the answer of the proxy is its.
  if (head.length > 0) socket.unshift(head)
}

/** What proxies answer when it is the receiver that cannot be reached (Squid, Envoy, HAProxy, Smokescreen). */
const receiverFailed = new Set([502, 503, 504])

function refuse({ statusCode = 0, headers }: IncomingMessage, path: string): void {
  if (statusCode >= 200 && statusCode < 300) return
  const name = STATUS_CODES[statusCode]
  const said = `${statusCode}${name === undefined ? '' : ` ${name}`}`
  if (receiverFailed.has(statusCode)) {
    const sentence = `The proxy could not connect to ${path} (${said}).`
    throw new ConnectFailure(statusCode === 504 ? 'connect_timeout' : 'connect_refused', sentence)
  }
  // Smokescreen refuses receivers by 407 too, but asks for no credentials then.
  const wantsCredentials = statusCode === 407 && headers['proxy-authenticate'] !== undefined
  if (statusCode === 403 || (statusCode === 407 && !wantsCredentials)) {
    throw new ConnectFailure(
      'address_forbidden',
      `The proxy refuses to connect to ${path} (${said}).`,
    )
  }
  throw new ProxyFailure(`The proxy answered ${said} when asked for ${path}.`)
}
