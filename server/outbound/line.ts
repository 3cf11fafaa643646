/**
 * A line is one place for a connection in undici's pool: a client of its own, with at most one connection at a time.
 * undici hides which connection a request goes over; a client per line, that says so to the exchange, tells it without
 * any work for a request on an open connection.
 */
import type { Socket } from 'node:net'
import { Agent, type buildConnector, Client, type Dispatcher, Pool } from 'undici'
import type { HttpVersion } from '#server/domain/attempt-outcome.ts'

/** `proxy`: on the way to the proxy; the tunnel through it is `tcp`. */
export type Stage = 'dns' | 'proxy' | 'tcp' | 'tls'

/** How long each step of making a connection took, in milliseconds; null: not needed, or not over. */
export interface OpeningSteps {
  readonly dnsMs: number | null
  readonly connectMs: number | null
  readonly tlsMs: number | null
}

/** A connection that is being made, or how it was made. */
export interface Opening {
  /** By `performance.now()`. */
  readonly begunAt: number
  /** What is being waited for. */
  readonly stage: () => Stage
  readonly steps: () => OpeningSteps
  /** Null: not connected yet. */
  readonly remoteAddress: () => string | null
  /** Gives up; without effect once the connection stands. */
  readonly cancel: (reason: Error) => void
}

/** What an exchange asks of the line that it goes over, and tells it: `started` or `giveUp`, one of them, once. */
export interface Line {
  /** The latest; null: none was begun yet. */
  readonly opening: () => Opening | null
  /** The exchange does not wait for the connection any more: its request is being written, or it has failed. */
  readonly started: () => void
  /** The same, and the making of the connection ends unless another exchange waits for it too. */
  readonly giveUp: (reason: Error) => void
  /** Null: not connected yet. */
  readonly httpVersion: () => HttpVersion | null
}

/** A handler of undici that is told its line before anything of the request is written. */
export interface LineHandler extends Dispatcher.DispatchHandler {
  readonly onLine: (line: Line) => void
}

/** Makes a connection for a line; calls back once, and `begun` before that, synchronously. */
export type LineConnector = (
  target: buildConnector.Options,
  begun: (opening: Opening) => void,
  callback: buildConnector.Callback,
) => void

/** An agent whose every connection is made by `connect`, and whose handlers are `LineHandler`s. */
export function createLineAgent(connect: LineConnector, options: Agent.Options): Agent {
  const clientFactory = (origin: URL, poolOptions: object) =>
    new LineClient(origin, connect, poolOptions)
  return new Agent({
    ...options,
    factory: (origin, agentOptions) =>
      new Pool(origin, { ...(agentOptions as Pool.Options), factory: clientFactory }),
  })
}

class LineClient extends Client {
  readonly #line: Line
  #waiting = 0

  constructor(origin: URL, connect: LineConnector, options: Client.Options) {
    let opening: Opening | null = null
    let socket: Socket | null = null
    super(origin, {
      ...options,
      connect: (target, callback) => {
        socket = null
        const begun = (latest: Opening) => {
          opening = latest
        }
        connect(target, begun, (...result) => {
          socket = result[1]
          callback(...result)
        })
      },
    })
    this.#line = {
      opening: () => opening,
      httpVersion: () => (socket === null ? null : httpVersionOf(socket)),
      started: () => {
        this.#waiting -= 1
      },
      giveUp: (reason) => {
        this.#waiting -= 1
        if (this.#waiting === 0) opening?.cancel(reason)
      },
    }
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: LineHandler): boolean {
    this.#waiting += 1
    handler.onLine(this.#line)
    return super.dispatch(options, handler)
  }
}

function httpVersionOf(socket: Socket): HttpVersion {
  return 'alpnProtocol' in socket && socket.alpnProtocol === 'h2' ? '2' : '1.1'
}
