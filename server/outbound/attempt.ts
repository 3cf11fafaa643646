import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import type { WebhookRequest } from '#server/domain/render.ts'
import { createConnector } from '#server/outbound/connect.ts'
import { startExchange } from '#server/outbound/exchange.ts'
import { createLineAgent, type LineConnector, type Opening } from '#server/outbound/line.ts'

export interface SenderOptions {
  /** Certificates (PEM) of authorities to trust instead of the usual ones. */
  readonly ca?: readonly string[]
  /** How long a connection may take to be made, where the attempt's time is not over before; 10 s unless told. */
  readonly connectTimeoutMs?: number
}

export interface Sender {
  /**
   * Makes one HTTP request. Whatever the receiver does wrong is in the outcome; it rejects for our own failures only:
   * no file descriptors left, a request that is none, a sender that was closed. `timeoutMs` is the time for everything,
   * from the look-up of the name to the last byte of the answer. Redirects are not followed.
   *
   * A request is written to a connection once. One that the receiver closed before anything was written is replaced by
   * a new one; afterwards nobody knows what it has read, and the outcome is `connection_lost`.
   */
  readonly attempt: (
    request: WebhookRequest,
    limits: { readonly timeoutMs: number },
  ) => Promise<AttemptOutcome>
  /** Ends all connections at once; attempts that are under way reject. */
  readonly close: () => Promise<void>
}

const longestHeaders = 16 * 1024

/**
 * How long an idle connection is kept. Common servers close theirs after 5 s (Node, Apache, uvicorn): to leave before
 * them avoids requests into a closing door. One that names its time (`Keep-Alive: timeout=`) is believed up to a minute.
 */
const idle = { keepAliveTimeout: 4000, keepAliveMaxTimeout: 60_000 }

/** Keeps connections open per origin, as many as there are requests at the same time: the caller bounds those. */
export function createSender({ ca, connectTimeoutMs = 10_000 }: SenderOptions = {}): Sender {
  const openings = new Set<Opening>()
  const connect = tracked(
    openings,
    createConnector({ ca: ca ?? null, timeoutMs: connectTimeoutMs }),
  )
  const agent = createLineAgent(connect, {
    ...idle,
    allowH2: false,
    pipelining: 1,
    maxHeaderSize: longestHeaders,
    // The exchange has one deadline for everything; undici's are between chunks, so that dripping bytes never end.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  return {
    async attempt(request, { timeoutMs }) {
      const url = new URL(request.url)
      const exchange = startExchange(url.host, timeoutMs)
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: request.method,
          headers: request.headers,
          body: request.body,
        },
        exchange.handler,
      )
      const outcome = await exchange.outcome
      // undici takes a connection back one turn of the event loop after its answer. A caller that sends the next request
      // sooner would be given a new connection.
      await nextTurn()
      return outcome
    },
    async close() {
      const closed = new Error('The sender was closed.')
      const end = agent.destroy(closed)
      for (const opening of openings) opening.cancel(closed)
      await end
    },
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
