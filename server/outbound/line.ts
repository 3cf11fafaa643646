/**
 * A line is one place for a connection to an origin: a client of undici with at most one connection at a time. On
 * HTTP/1.1 it carries one request at a time, on HTTP/2 many.
 *
 * undici's own pool would do but for two things: it hides which connection a request goes over, so nobody could tell
 * its address, version and how long it took to make; and it goes on using an HTTP/2 connection on which nothing is
 * answered any more, since that is no error as long as nobody closes it.
 */
import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher } from 'undici'
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
  /** Null: not connected yet. */
  readonly httpVersion: () => HttpVersion | null
  /** The exchange does not wait for the connection any more: its request is being written, or it has failed. */
  readonly started: () => void
  /** The same, and the making of the connection ends unless another exchange waits for it too. */
  readonly giveUp: (reason: Error) => void
  /** No answer came over it: what is under way may end, nothing new begins on it. */
  readonly retire: () => void
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

/** As many lines per origin as there are requests at the same time, each kept until its connection ends. */
export interface Lines {
  readonly dispatch: (
    origin: string,
    request: Dispatcher.DispatchOptions,
    handler: LineHandler,
  ) => void
  /** What is under way may end. */
  readonly close: () => void
  readonly destroy: (reason: Error) => Promise<void>
}

export function createLines(connect: LineConnector, options: Client.Options): Lines {
  const origins = new Map<string, OpenLine[]>()

  function forget(origin: string, line: OpenLine): void {
    const lines = origins.get(origin)
    const at = lines?.indexOf(line) ?? -1
    if (lines === undefined || at < 0) return
    lines.splice(at, 1)
    if (lines.length === 0) origins.delete(origin)
    line.close()
  }

  function add(origin: string): OpenLine {
    const line = openLine(origin, connect, options, () => forget(origin, line))
    const lines = origins.get(origin)
    if (lines === undefined) origins.set(origin, [line])
    else lines.push(line)
    return line
  }

  const all = () => [...origins.values()].flat()
  return {
    dispatch(origin, request, handler) {
      const line = origins.get(origin)?.find((one) => one.isFree()) ?? add(origin)
      line.dispatch(request, handler)
    },
    close() {
      for (const line of all()) line.close()
      origins.clear()
    },
    async destroy(reason) {
      await Promise.all(all().map((line) => line.destroy(reason)))
      origins.clear()
    },
  }
}

interface OpenLine {
  /** Has room for a request. */
  readonly isFree: () => boolean
  readonly dispatch: (request: Dispatcher.DispatchOptions, handler: LineHandler) => void
  readonly close: () => void
  readonly destroy: (reason: Error) => Promise<void>
}

/** `over` is called when the line has no connection and nothing to make one for, or shall have nothing new. */
function openLine(
  origin: string,
  connect: LineConnector,
  options: Client.Options,
  over: () => void,
): OpenLine {
  let opening: Opening | null = null
  let socket: Socket | null = null
  let waiting = 0
  let free = true
  const client = new Client(origin, {
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
  const line: Line = {
    opening: () => opening,
    httpVersion: () => (socket === null ? null : httpVersionOf(socket)),
    started: () => {
      waiting -= 1
    },
    giveUp: (reason) => {
      waiting -= 1
      if (waiting === 0) opening?.cancel(reason)
    },
    retire: over,
  }
  // A request that nothing was written of yet stays, and has the client connect again.
  const endUnlessNeeded = () => {
    if (client.stats.size === 0) over()
  }
  client.on('drain', () => {
    free = true
  })
  client.on('disconnect', endUnlessNeeded)
  client.on('connectionError', endUnlessNeeded)
  return {
    isFree: () => free,
    dispatch(request, handler) {
      waiting += 1
      handler.onLine(line)
      free = client.dispatch(request, handler)
    },
    close() {
      client.close().catch(() => undefined)
    },
    destroy: async (reason) => await client.destroy(reason),
  }
}

function httpVersionOf(socket: Socket): HttpVersion {
  return 'alpnProtocol' in socket && socket.alpnProtocol === 'h2' ? '2' : '1.1'
}
