import { setTimeout as pause } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { type AddressPolicy, internetOnly } from '#server/domain/address-policy.ts'
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { targetOf } from '#server/domain/receiver-target.ts'
import type { WebhookRequest } from '#server/domain/render/render.ts'
import { addressesInUrl, createConnector } from '#server/outbound/connect.ts'
import { startExchange } from '#server/outbound/exchange.ts'
import { ConnectFailure } from '#server/outbound/failure.ts'
import { type AlsoAllowed, createGuard } from '#server/outbound/guard.ts'
import { createLines, type LineConnector, type Lines, type Opening } from '#server/outbound/line.ts'
import { createNameResolver, type NameResolver } from '#server/outbound/name-resolver.ts'
import type { EgressProxy } from '#server/outbound/proxy.ts'
import { plainIdentity, secureContextOf, type TlsIdentity } from '#server/outbound/tls-identity.ts'

export interface SenderOptions {
  /** Which addresses it connects to; the Internet unless told. */
  readonly policy?: AddressPolicy
  readonly alsoAllowed?: AlsoAllowed
  /** The only way out, where there is one. */
  readonly proxy?: EgressProxy | null
  /** Closed with the sender. */
  readonly resolver?: NameResolver
  /** How long a connection may take to be made, where the attempt's time is not over before; 10 s unless told. */
  readonly connectTimeoutMs?: number
}

export interface AttemptLimits {
  /** The time for everything, from the look-up of the name to the last byte of the answer. */
  readonly timeoutMs: number
  /** The usual one unless told. Attempts with the same object share connections. */
  readonly identity?: TlsIdentity
}

export interface Sender {
  /**
   * Makes one HTTP request. Whatever the receiver does wrong is in the outcome; it rejects for our own failures only:
   * no file descriptors left, a proxy that does not work, a request that is none, a sender that was closed. Redirects
   * are not followed.
   *
   * A request is written to a connection once. One that the receiver closed before anything was written is replaced by
   * a new one; afterwards nobody knows what it has read, and the outcome is `connection_lost`.
   */
  readonly attempt: (request: WebhookRequest, limits: AttemptLimits) => Promise<AttemptOutcome>
  /**
   * Why an attempt to this URL would be refused (`address_forbidden`), as a sentence; null: it would not, as far as one
   * can tell within 3 s. A name that does not resolve now may do so later.
   */
  readonly whyForbidden: (url: string) => Promise<string | null>
  /** Ends all connections at once; attempts that are under way reject. */
  readonly close: () => Promise<void>
}

const longestHeaders = 16 * 1024

/**
 * How long an idle connection is kept. Common servers close theirs after 5 s (Node, Apache, uvicorn): to leave before
 * them avoids requests into a closing door. One that names its time (`Keep-Alive: timeout=`) is believed up to a minute.
 */
const idle = { keepAliveTimeout: 4000, keepAliveMaxTimeout: 60_000 }
/** Longer than any attempt and any idle connection: then nothing of an identity is open any more. */
const identityIdleMs = 180_000
const lookAheadMs = 3000
/** One connection that breaks costs so many attempts at most. */
const streamsPerConnection = 32

/** Keeps connections open per origin, as many as there are requests at the same time: the caller bounds those. */
export function createSender({
  policy = internetOnly,
  alsoAllowed = async () => false,
  proxy = null,
  resolver = createNameResolver(),
  connectTimeoutMs: timeoutMs = 10_000,
}: SenderOptions = {}): Sender {
  const openings = new Set<Opening>()
  const guard = createGuard(policy, alsoAllowed)
  const connections = linesPer((identity) => {
    const secureContext = once(() => secureContextOf(identity))
    const connector = createConnector({ resolver, guard, proxy, secureContext, timeoutMs })
    return createLines(tracked(openings, connector), {
      ...idle,
      pipelining: 1,
      h2Options: { maxConcurrentStreams: streamsPerConnection },
      maxHeaderSize: longestHeaders,
      // The exchange has one deadline for everything; undici's are between chunks, so that dripping bytes never end.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  })

  return {
    async attempt(request, { timeoutMs, identity = plainIdentity }) {
      const { origin, host, path } = addressOf(request.url)
      const { method, headers, body } = request
      const exchange = startExchange(host, timeoutMs)
      connections.of(identity).dispatch(origin, { path, method, headers, body }, exchange.handler)
      return await exchange.outcome
    },
    async whyForbidden(url) {
      const { host, port } = targetOf(url)
      const resolved = proxy === null ? await addressesSoon(resolver, host) : []
      try {
        await guard.check(host, port, [...addressesInUrl(host), ...resolved])
        return null
      } catch (error) {
        if (error instanceof ConnectFailure) return error.message
        throw error
      }
    },
    async close() {
      const closed = new Error('The sender was closed.')
      const end = connections.destroy(closed)
      for (const opening of openings) opening.cancel(closed)
      resolver.close()
      await end
    },
  }
}

interface Address {
  readonly origin: string
  readonly host: string
  readonly path: string
}

/** To parse a URL takes 2 µs, and webhooks have the same one for every request. */
const addresses = new LRUCache<string, Address>({ max: 10_000 })

function addressOf(text: string): Address {
  const known = addresses.get(text)
  if (known !== undefined) return known
  const { origin, host, pathname, search } = new URL(text)
  const address = { origin, host, path: pathname + search }
  addresses.set(text, address)
  return address
}

/** What a name leads to now; nothing where that takes long or cannot be told. */
async function addressesSoon(resolver: NameResolver, host: string): Promise<readonly string[]> {
  if (addressesInUrl(host).length > 0) return []
  const found = resolver.resolve(host).catch(() => [])
  const addresses = await Promise.race([found, pause(lookAheadMs, [], { ref: false })])
  return addresses.map(({ address }) => address)
}

/** Lines per identity; those that nobody uses any more are closed when a new one comes. */
function linesPer(create: (identity: TlsIdentity) => Lines) {
  const known = new Map<TlsIdentity, { readonly lines: Lines; usedAt: number }>()
  let closed = false

  function closeUnused(now: number): void {
    for (const [identity, { lines, usedAt }] of known) {
      if (now - usedAt < identityIdleMs) continue
      known.delete(identity)
      lines.close()
    }
  }
  return {
    of(identity: TlsIdentity): Lines {
      if (closed) throw new Error('The sender is closed.')
      const now = performance.now()
      const mine = known.get(identity)
      if (mine !== undefined) {
        mine.usedAt = now
        return mine.lines
      }
      closeUnused(now)
      const lines = create(identity)
      known.set(identity, { lines, usedAt: now })
      return lines
    },
    async destroy(reason: Error): Promise<void> {
      closed = true
      await Promise.all([...known.values()].map(({ lines }) => lines.destroy(reason)))
    },
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** Keeps the set of connections that are being made. */
function tracked(openings: Set<Opening>, connect: LineConnector): LineConnector {
  return (target, begun, callback) => {
    let opening: Opening | null = null
    connect(
      target,
      (latest) => {
        opening = latest
        openings.add(latest)
        begun(latest)
      },
      (...result) => {
        if (opening !== null) openings.delete(opening)
        callback(...result)
      },
    )
  }
}
