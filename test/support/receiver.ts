import { EventEmitter, once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import type { Event } from '#contracts/events/catalogue.ts'
import { freeTcpPort } from '#test/support/free-port.ts'

export interface ReceivedRequest {
  /** When its body was complete; milliseconds of the monotonic clock (`performance.now()`). */
  readonly at: number
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The body as an event in the native form; null where it is no JSON object. */
  readonly event: Event | null
  /** Whether the official library takes it with one of the receiver's secrets; null: it has no secret. */
  readonly verified: boolean | null
}

export interface Reply {
  /** 200 unless told. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly delayMs?: number
}

/** `ok`: as `respond` says. `fail`: 500. `stall`: takes requests and never answers. `reset`: takes them, then resets. */
export type ReceiverMode = 'ok' | 'fail' | 'stall' | 'reset'

export interface ReceiverOptions {
  /** Signing secrets (`whsec_…`) of the webhooks that send to it. */
  readonly secret?: string | readonly string[]
  readonly respond?: (request: ReceivedRequest) => Reply | Promise<Reply>
}

export interface Receiver extends AsyncDisposable {
  /** Stays the same over `restart`. */
  readonly url: string
  /** In the order of arrival, also those that it failed, stalled or reset. */
  readonly requests: readonly ReceivedRequest[]
  /** How many connections were opened to it. */
  readonly connections: () => number
  /** Resolves with `requests` once they are as wanted; looks after every arrival. Throws after `timeoutMs` (10 s). */
  readonly waitFor: (
    predicate: (requests: readonly ReceivedRequest[]) => boolean,
    what: string,
    timeoutMs?: number,
  ) => Promise<readonly ReceivedRequest[]>
  readonly respond: (reply: (request: ReceivedRequest) => Reply | Promise<Reply>) => void
  readonly setMode: (mode: ReceiverMode) => void
  /** Cuts all connections and refuses new ones. */
  readonly stop: () => Promise<void>
  /** Comes back on the same port. */
  readonly restart: () => Promise<void>
}

/** A real receiver of webhooks on 127.0.0.1; ends with `await using`. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const verify = verifier([options.secret ?? []].flat())
  const requests: ReceivedRequest[] = []
  const arrivals = new EventEmitter()
  let mode: ReceiverMode = 'ok'
  let respond = options.respond ?? (() => ({}))
  let opened = 0

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await receive(message, verify)
    requests.push(request)
    arrivals.emit('arrival')
    await answer(mode, request, response, respond)
  }

  async function listen(port: number): Promise<Server> {
    const server = createServer((message, response) => {
      // A sender that breaks off in the middle is none of the receiver's errors.
      serve(message, response).catch(() => response.destroy())
    })
    server.on('connection', () => {
      opened += 1
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  const port = await freeTcpPort()
  let server = await listen(port)

  async function stop(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }

  return {
    url: `http://127.0.0.1:${port}/`,
    requests,
    connections: () => opened,
    async waitFor(predicate, what, timeoutMs = 10_000) {
      const signal = AbortSignal.timeout(timeoutMs)
      while (!predicate(requests)) {
        await once(arrivals, 'arrival', { signal }).catch((cause: unknown) => {
          throw new Error(inVain(what, timeoutMs, requests), { cause })
        })
      }
      return requests
    },
    respond: (reply) => {
      respond = reply
    },
    setMode: (next) => {
      mode = next
    },
    stop,
    async restart() {
      await stop()
      server = await listen(port)
    },
    [Symbol.asyncDispose]: stop,
  }
}

type Verify = (body: Buffer, headers: IncomingHttpHeaders) => boolean | null

/** One of the secrets is enough, as during a rotation. */
function verifier(secrets: readonly string[]): Verify {
  const webhooks = secrets.map((secret) => new Webhook(secret))
  return (body, headers) =>
    webhooks.length === 0
      ? null
      : webhooks.some((webhook) => {
          try {
            webhook.verify(body, headers as Record<string, string>, { jsonParse: false })
            return true
          } catch {
            return false
          }
        })
}

async function receive(message: IncomingMessage, verify: Verify): Promise<ReceivedRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  return {
    at: performance.now(),
    method: message.method ?? '',
    path: message.url ?? '',
    headers: message.headers,
    body,
    event: eventOf(body),
    verified: verify(body, message.headers),
  }
}

function eventOf(body: Buffer): Event | null {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Event) : null
  } catch {
    return null
  }
}

async function answer(
  mode: ReceiverMode,
  request: ReceivedRequest,
  response: ServerResponse,
  respond: (request: ReceivedRequest) => Reply | Promise<Reply>,
): Promise<void> {
  switch (mode) {
    case 'stall':
      return
    case 'reset':
      response.socket?.resetAndDestroy()
      return
    case 'fail':
      response.writeHead(500).end()
      return
    case 'ok': {
      const { status = 200, headers = {}, body = '', delayMs = 0 } = await respond(request)
      if (delayMs > 0) await pause(delayMs)
      response.writeHead(status, { ...headers }).end(body)
    }
  }
}

function inVain(what: string, timeoutMs: number, requests: readonly ReceivedRequest[]): string {
  const came = requests.map(({ method, path, event }) => event?.type ?? `${method} ${path}`)
  const list = came.length === 0 ? 'no request' : came.slice(-30).join(', ')
  return `Waited ${timeoutMs} ms in vain for ${what}; there came ${list}.`
}
