import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { startAmiClient } from '#server/pbx/asterisk/ami-client.ts'
import { type AmiFrame, amiField, createAmiDecoder } from '#server/pbx/asterisk/ami-codec.ts'
import { waitUntil } from '#test/support/wait-until.ts'

/*
 * Peers that a real Asterisk cannot be made to be: silent, half-dead, not an AMI at all. The good cases are tested
 * against a real Asterisk in test/asterisk/pbx/.
 */

type Answer = (frame: AmiFrame, socket: Socket) => void

/** A TCP server that greets with a banner and answers frames by `answer`. */
async function peer(answer: Answer, banner = 'Asterisk Call Manager/11.0.0\r\n') {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.write(banner)
    const decoder = createAmiDecoder()
    socket.on('data', (bytes) => {
      for (const frame of decoder.push(bytes)) answer(frame, socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    hangUp: () => {
      for (const socket of sockets) socket.destroy()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const reply = (frame: AmiFrame, socket: Socket, ...lines: string[]) =>
  socket.write(`${[...lines, `ActionID: ${amiField(frame, 'ActionID')}`].join('\r\n')}\r\n\r\n`)

/** Logs everybody in and answers pings; the rest is left to `more`. */
const friendly =
  (more: Answer = () => {}): Answer =>
  (frame, socket) => {
    const action = amiField(frame, 'Action')
    if (action === 'Challenge') reply(frame, socket, 'Response: Success', 'Challenge: 1')
    else if (action === 'Login') {
      reply(frame, socket, 'Response: Success')
      socket.write('Event: FullyBooted\r\nUptime: 5\r\n\r\n')
    } else more(frame, socket)
  }

/** A client whose ups and downs can be awaited one by one. */
function client(
  port: number,
  timing: { ping?: number; timeout?: number; refuses?: (address: string) => boolean } = {},
) {
  const stop = new AbortController()
  const told: string[] = []
  let wake = () => {}
  const tell = (what: string) => {
    told.push(what)
    wake()
  }
  const ami = startAmiClient({
    host: '127.0.0.1',
    port,
    username: 'offhook',
    secret: 'x',
    onEvent: (event) => tell(`event ${amiField(event, 'Event')}`),
    onUp: () => tell('up'),
    onDown: (reason) => tell(`down: ${reason}`),
    signal: stop.signal,
    pingIntervalMs: timing.ping ?? 60_000,
    actionTimeoutMs: timing.timeout ?? 2000,
    firstPauseMs: 10,
    longestPauseMs: 50,
    ...(timing.refuses && { refuses: timing.refuses }),
  })
  return {
    ami,
    told,
    until: async (what: string, count = 1) => {
      while (told.filter((t) => t === what).length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ami.closed
    },
  }
}

test('every close is told once and followed by a new connection', async () => {
  await using server = await peer(friendly())
  await using c = client(server.port)
  await c.until('up')
  server.hangUp()
  await c.until('up', 2)
  server.hangUp()
  await c.until('up', 3)
  expect(c.told.filter((t) => t !== 'event FullyBooted')).toEqual([
    'up',
    'down: closed',
    'up',
    'down: closed',
    'up',
  ])
})

test('a refused connection is told once, however often it is tried', async () => {
  const gone = await peer(friendly())
  const { port } = gone
  await gone[Symbol.asyncDispose]()
  await using c = client(port)
  await c.until('down: connection refused')
  await new Promise((resolve) => setTimeout(resolve, 200)) // some twenty tries
  expect(c.told).toEqual(['down: connection refused'])
  await expect(c.ami.action('Ping')).rejects.toMatchObject({ code: 'not_connected' })
})

test('a peer that accepts and says nothing is "no answer"', async () => {
  await using server = await peer(() => {}, '')
  await using c = client(server.port, { timeout: 50 })
  await c.until('down: no answer')
})

test('a peer that stops answering is noticed by its missing pong', async () => {
  await using server = await peer(friendly())
  await using c = client(server.port, { ping: 20, timeout: 50 })
  await c.until('up')
  await c.until('down: no answer')
})

test('something that is not an AMI is a protocol error', async () => {
  await using server = await peer(() => {}, 'HTTP/1.1 400 Bad Request\r\nA: b\r\n\r\n')
  await using c = client(server.port)
  await c.until('down: protocol error')
})

test('a peer at an address that is refused is told nothing', async () => {
  let heard = 0
  await using server = await peer(() => {
    heard += 1
  })
  const asked: string[] = []
  const refuses = (address: string) => asked.push(address) > 0
  await using c = client(server.port, { refuses })
  await c.until('down: address refused')
  await waitUntil(() => asked.length > 2, { what: 'it was tried again' })
  expect(new Set(asked)).toEqual(new Set(['127.0.0.1']))
  expect(heard).toBe(0)
  expect(c.told).toEqual(['down: address refused'])
})

test('a refused login is told as such', async () => {
  await using server = await peer((frame, socket) =>
    reply(frame, socket, 'Response: Error', 'Message: No'),
  )
  await using c = client(server.port)
  await c.until('down: login refused')
})

test('an unanswered action fails alone, a lost connection fails all', async () => {
  await using server = await peer(
    friendly((frame, socket) => {
      if (amiField(frame, 'Action') === 'Ping') reply(frame, socket, 'Response: Success')
      if (amiField(frame, 'Action') === 'Die') socket.destroy()
    }),
  )
  await using c = client(server.port, { timeout: 100 })
  await c.until('up')
  await expect(c.ami.action('Silence')).rejects.toMatchObject({ code: 'no_answer' })
  await c.ami.action('Ping')
  const both = await Promise.allSettled([c.ami.action('Silence'), c.ami.action('Die')])
  expect(both.map((r) => r.status === 'rejected' && r.reason.code)).toEqual([
    'not_connected',
    'not_connected',
  ])
})

test('a list is gathered until it is complete, other events go their way', async () => {
  await using server = await peer(
    friendly((frame, socket) => {
      reply(frame, socket, 'Response: Success', 'EventList: start')
      reply(frame, socket, 'Event: Entry', 'N: 1')
      socket.write('Event: Hangup\r\n\r\n')
      reply(frame, socket, 'Event: Entry', 'N: 2')
      reply(frame, socket, 'Event: Done', 'EventList: Complete')
    }),
  )
  await using c = client(server.port)
  await c.until('up')
  const entries = await c.ami.list('Things')
  expect(entries.map((e) => amiField(e, 'N'))).toEqual(['1', '2'])
  expect(c.told).toContain('event Hangup')
})

test('what cannot be answered is not piled up', async () => {
  await using server = await peer(friendly())
  await using c = client(server.port)
  await c.until('up')
  const many = Array.from({ length: 250 }, () => c.ami.action('Silence'))
  const codes = (await Promise.allSettled(many)).map(
    (r) => r.status === 'rejected' && r.reason.code,
  )
  expect(codes.filter((code) => code === 'busy')).toHaveLength(50)
})
