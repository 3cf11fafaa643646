/** Receivers as nobody should write them: raw TCP servers that do to a request what their name says. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { AttemptError } from '#contracts/delivery.ts'

interface Evil {
  /** Called when a request has begun to arrive. */
  readonly asked: (socket: Socket) => void
  /** What the attempt must be called. */
  readonly error: AttemptError
}

/** Goes on until the other side has had enough. */
function forever(socket: Socket, everyMs: number, text: () => string): void {
  const timer = setInterval(() => socket.write(text()), everyMs)
  socket.on('close', () => clearInterval(timer))
}

/** Writes as fast as it is read, and no faster. */
function flood(socket: Socket, text: string): void {
  const more = () => {
    while (!socket.destroyed && socket.write(text));
  }
  socket.on('drain', more)
  more()
}

// Who answers and hangs up before it has read all may reset its own answer, so those that are to be heard stay.
// Each connection is answered once: the sender must not use it again, or it would wait for a second answer.
const last = 'connection: close\r\ncontent-length: 0\r\n\r\n'
const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n'

export const evils = {
  stalls: { error: 'timeout', asked: () => undefined },
  'answers byte by byte': {
    error: 'timeout',
    asked(socket) {
      const text = `${head}x-slow: ${'y'.repeat(1_000)}`
      let at = 0
      forever(socket, 50, () => text.charAt(at++))
    },
  },
  'drips its body': {
    error: 'timeout',
    asked(socket) {
      socket.write(`${head}content-length: 100000\r\n\r\n`)
      forever(socket, 50, () => 'a')
    },
  },
  'never ends its headers': {
    error: 'response_invalid',
    asked(socket) {
      socket.write(head)
      flood(socket, `x-more: ${'y'.repeat(1_000)}\r\n`)
    },
  },
  'sends 1xx for ever': {
    error: 'timeout',
    asked: (socket) => forever(socket, 20, () => 'HTTP/1.1 103 Early Hints\r\n\r\n'),
  },
  // A process that hangs behind a connection that stands. A machine that is gone: half-open.test.ts.
  'stops reading': { error: 'timeout', asked: (socket) => socket.pause() },
  resets: { error: 'connection_lost', asked: (socket) => socket.resetAndDestroy() },
  'hangs up in the middle': {
    error: 'connection_lost',
    asked: (socket) => socket.end(`${head}content-length: 100\r\n\r\nabc`),
  },
  'speaks garbage': {
    error: 'response_invalid',
    asked: (socket) => socket.write('\u0015\u0003\u0001 what\r\n\r\n'),
  },
  'sends to itself': {
    error: 'redirect',
    asked: (socket) => socket.write(`HTTP/1.1 307 Again\r\nlocation: /\r\n${last}`),
  },
  'refuses all': {
    error: 'status',
    asked: (socket) => socket.write(`HTTP/1.1 503 No\r\n${last}`),
  },
} as const satisfies Readonly<Record<string, Evil>>

export interface EvilReceiver extends AsyncDisposable {
  readonly url: string
  readonly connections: () => number
}

export async function startEvil({ asked }: Evil): Promise<EvilReceiver> {
  const sockets = new Set<Socket>()
  let opened = 0
  const server = createServer((socket) => {
    opened += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.once('data', () => {
      socket.resume()
      asked(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    connections: () => opened,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
