import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { plainRequest } from '#contracts/webhook/request.ts'
import { parseAddressRanges } from '#server/domain/address-policy.ts'
import { prepareRequests, type WebhookRequest } from '#server/domain/render/render.ts'
import { createSender, type Sender, type SenderOptions } from '#server/outbound/attempt.ts'
import { createTemplates } from '#server/pipeline/templates.ts'

/** Receivers of tests are on this machine, where a sender goes only when it is told that it may. */
export const loopbackPolicy = { allow: parseAddressRanges('127.0.0.0/8, ::1'), deny: [] }

/** Nothing runs in it until a test has a template that needs a thread; that ends with the process. */
export const templates = createTemplates()

export const event = '{"id":"evt_1","type":"call.ended"}'

export function to(url: string, body = event): WebhookRequest {
  return prepareRequests(url, plainRequest, '0.0.0').render(body)
}

export const within = { timeoutMs: 5000 }

/** A sender that may reach this machine and ends with `await using`. */
export function sending(options?: SenderOptions): Sender & AsyncDisposable {
  const sender = createSender({ policy: loopbackPolicy, ...options })
  return { ...sender, [Symbol.asyncDispose]: sender.close }
}

/** A receiver as it should not be: a raw TCP server that says exactly the bytes that the test wants. */
export interface Peer extends AsyncDisposable {
  readonly url: string
  readonly sockets: readonly Socket[]
  /** Everything that came, over all connections. */
  readonly received: () => string
}

/** A TCP server; `talk` is called for each connection, `asked` for each piece of data that comes over one. */
export async function peer(
  behaviour: {
    readonly talk?: (socket: Socket) => void
    readonly asked?: (socket: Socket, connection: number) => void
  } = {},
): Promise<Peer> {
  const sockets: Socket[] = []
  let received = ''
  const server = createServer((socket) => {
    const connection = sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      received += bytes
      behaviour.asked?.(socket, connection)
    })
    behaviour.talk?.(socket)
  })
  await listening(server)
  return {
    url: `http://127.0.0.1:${portOf(server)}/hook`,
    sockets,
    received: () => received,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export async function listening(server: Server, host = '127.0.0.1'): Promise<void> {
  server.listen(0, host)
  await once(server, 'listening')
}

export const portOf = (server: Server) => (server.address() as AddressInfo).port

/** Sends again and again until the connection ends. */
export function drip(socket: Socket, text: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(text), everyMs)
  socket.on('close', () => clearInterval(timer))
}

export const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
