/**
 * Makes the connections to receivers, with the guard between the steps:
 *
 *   directly:         names ── guard ── TCP ── guard on the peer ── TLS for https
 *   behind a proxy:   guard on what the URL says ── to the proxy ── tunnel ── TLS for https
 *
 * undici's own connector would do but for three things: the guard, how far a connection came when it failed, and a way
 * to give up on one that nobody waits for any more.
 */
import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'
import type { buildConnector } from 'undici'
import type { Guard } from '#server/outbound/guard.ts'
import type { LineConnector } from '#server/outbound/line.ts'
import { type Making, startMaking } from '#server/outbound/making.ts'
import type { NameResolver, ResolvedAddress } from '#server/outbound/name-resolver.ts'
import { type EgressProxy, inProxy, openTunnel } from '#server/outbound/proxy.ts'

export interface ConnectSettings {
  readonly resolver: NameResolver
  readonly guard: Guard
  readonly proxy: EgressProxy | null
  /** Authorities and client certificate for https. */
  readonly secureContext: () => SecureContext
  readonly timeoutMs: number
}

/**
 * Receivers on another continent are farther than the 250 ms after which Node drops an address that has not answered
 * and takes the next one, never to come back to it.
 */
const nextAddressAfterMs = 1000

export function createConnector(settings: ConnectSettings): LineConnector {
  return (target, begun, callback) => {
    const making = startMaking(target, settings.timeoutMs)
    begun(making.opening)
    make(settings, target, making).then(
      (socket) => {
        making.end()
        callback(null, socket)
      },
      (error: unknown) => {
        making.end()
        callback(making.failure(error), null)
      },
    )
  }
}

async function make(
  settings: ConnectSettings,
  { hostname, protocol }: buildConnector.Options,
  making: Making,
): Promise<Socket> {
  const { proxy } = settings
  const tcp =
    proxy === null
      ? await reachDirectly(settings, hostname, making)
      : await reachBehind(proxy, settings, hostname, making)
  if (protocol !== 'https:') return tcp
  // A certificate of ours that OpenSSL does not take is told as a failure of TLS, to whoever can replace it.
  const secureContext = await making.during(
    'tls',
    tcp,
    Promise.resolve().then(settings.secureContext),
  )
  const tls = startTls(tcp, hostname, { secureContext, ALPNProtocols: ['h2', 'http/1.1'] })
  await making.during('tls', tls, once(tls, 'secureConnect'))
  return tls
}

async function reachDirectly(
  { resolver, guard }: ConnectSettings,
  hostname: string,
  making: Making,
): Promise<Socket> {
  const { port } = making
  const addresses = await addressesOf(resolver, hostname, making)
  const texts = addresses.map(({ address }) => address)
  await making.during(null, null, guard.check(hostname, port, texts))
  const tcp = openTcp(hostname, port, addresses)
  await making.during('tcp', tcp, once(tcp, 'connect'))
  making.reached(tcp)
  // A peer without an address has left already, and the next step will say so.
  const peer = tcp.remoteAddress === undefined ? [] : [tcp.remoteAddress]
  await making.during(null, tcp, guard.check(hostname, port, peer))
  return tcp
}

/** The proxy resolves the name, so what it leads to is for the proxy to refuse. */
async function reachBehind(
  proxy: EgressProxy,
  { resolver, guard }: ConnectSettings,
  hostname: string,
  making: Making,
): Promise<Socket> {
  const { port } = making
  await making.during(null, null, guard.check(hostname, port, addressesInUrl(hostname)))
  const addresses = await inProxy(making.during('proxy', null, resolve(resolver, proxy.host)))
  const tcp = openTcp(proxy.host, proxy.port, addresses)
  await inProxy(making.during('proxy', tcp, once(tcp, 'connect')))
  making.reached(tcp)
  let toProxy = tcp
  if (proxy.secure) {
    toProxy = startTls(tcp, proxy.host, { ALPNProtocols: ['http/1.1'] })
    await inProxy(making.during('proxy', toProxy, once(toProxy, 'secureConnect')))
  }
  await making.during('tcp', toProxy, openTunnel(toProxy, hostname, port, proxy.authorization))
  return toProxy
}

/** What a URL says without anybody's name server. */
export function addressesInUrl(hostname: string): readonly string[] {
  if (isIP(hostname) !== 0) return [hostname]
  return /^(.+\.)?localhost\.?$/i.test(hostname) ? ['127.0.0.1', '::1'] : []
}

async function addressesOf(resolver: NameResolver, hostname: string, making: Making) {
  const found = resolve(resolver, hostname)
  return isIP(hostname) === 0 ? await making.during('dns', null, found) : await found
}

async function resolve(
  resolver: NameResolver,
  hostname: string,
): Promise<readonly ResolvedAddress[]> {
  const family = isIP(hostname)
  return family === 4 || family === 6
    ? [{ address: hostname, family }]
    : await resolver.resolve(hostname)
}

/** To one of these addresses and to no other, whatever the name means by now. */
function openTcp(hostname: string, port: number, addresses: readonly ResolvedAddress[]): Socket {
  const socket = connectTcp({
    host: hostname,
    port,
    lookup: (_hostname, options, callback) => {
      const [first] = addresses
      if (options.all || first === undefined) callback(null, [...addresses])
      else callback(null, first.address, first.family)
    },
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: nextAddressAfterMs,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  })
  return quiet(socket)
}

function startTls(
  socket: Socket,
  hostname: string,
  options: { readonly secureContext?: SecureContext; readonly ALPNProtocols: string[] },
): TLSSocket {
  const tls = connectTls({
    ...options,
    socket,
    host: hostname,
    // SNI has names only (RFC 6066); the certificate is checked against the host in any case.
    ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
  })
  return quiet(tls)
}

/** Whoever waits for a socket is told of its error; an 'error' that nobody waits for must not end the process. */
function quiet<S extends Socket>(socket: S): S {
  socket.on('error', () => {})
  return socket
}
