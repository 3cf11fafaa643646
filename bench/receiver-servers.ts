/** Two servers that do nothing but hand over what came: one as people write receivers, one as cheap as can be. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net'

/** `http`: node:http. `lean`: HTTP/1.1 by hand, for a share of the two cores that is as small as can be. */
export type ServerKind = 'http' | 'lean'

export interface Received {
  readonly socket: Socket
  readonly path: string
  /** `name` in lower case. */
  readonly header: (name: string) => string | undefined
  readonly body: Buffer
}

/** Notes a request and gives the status to answer with; null: no answer ever. Throws where the request is no good. */
export type Take = (request: Received) => 200 | 500 | null

const nothing = Buffer.alloc(0)
const endOfHead = Buffer.from('\r\n\r\n')
const answers = {
  200: Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
  500: Buffer.from('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n'),
} as const

/** Listens on a port of 127.0.0.1 that the system chooses; gives the origin. */
export async function listen(kind: ServerKind, take: Take): Promise<string> {
  const server: Server = kind === 'http' ? httpServer(take) : createTcpServer(leanServer(take))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function httpServer(take: Take): Server {
  const server = createHttpServer((message, response) => {
    const chunks: Buffer[] = []
    message.on('data', (chunk: Buffer) => chunks.push(chunk))
    message.on('end', () => {
      const status = take({
        socket: message.socket,
        path: message.url ?? '',
        header: (name) => message.headers[name]?.toString(),
        body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
      })
      if (status !== null) response.writeHead(status, { 'content-length': 0 }).end()
    })
  })
  // Between two rounds of a bench the other program has the machine.
  server.keepAliveTimeout = 600_000
  return server
}

function leanServer(take: Take) {
  return (socket: Socket): void => {
    let buffered: Buffer = nothing
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
      for (;;) {
        const request = nextRequest(socket, buffered)
        if (request === null) return
        buffered = request.rest
        const status = take(request)
        if (status !== null) socket.write(answers[status])
      }
    })
  }
}

/** Null: not all of it is there. */
function nextRequest(socket: Socket, buffered: Buffer): (Received & { rest: Buffer }) | null {
  const end = buffered.indexOf(endOfHead)
  if (end < 0) return null
  const head = buffered.toString('latin1', 0, end)
  const header = (name: string) => headerIn(head, name)
  // Undici always sends one; NaN would wait for ever, and the bench would end with its time.
  const total = end + endOfHead.length + Number(header('content-length'))
  if (!(buffered.length >= total)) return null
  return {
    socket,
    path: head.slice(head.indexOf(' ') + 1, head.indexOf(' ', 5)),
    header,
    body: buffered.subarray(end + endOfHead.length, total),
    rest: buffered.length === total ? nothing : buffered.subarray(total),
  }
}

const patterns = new Map<string, RegExp>()

function headerIn(head: string, name: string): string | undefined {
  let pattern = patterns.get(name)
  if (pattern === undefined) {
    pattern = new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i')
    patterns.set(name, pattern)
  }
  return pattern.exec(head)?.[1]
}
