import { once } from 'node:events'
import {
  createSecureServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, type Issued, makeAuthority } from '#test/support/authority.ts'
import { event, listening, portOf, sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let authority: Authority
let issued: Issued
beforeAll(async () => {
  authority = await makeAuthority()
  issued = await authority.issue('localhost', ['DNS:localhost', 'IP:127.0.0.1'])
})
afterAll(async () => await authority[Symbol.asyncDispose]())

type Talk = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: string) => void

const answer: Talk = (stream) => {
  stream.respond({ ':status': 200 })
  stream.end('ok')
}

/** A receiver that speaks HTTP/2. */
async function receiver2(first: Talk = answer) {
  let talk = first
  const sessions: Http2Session[] = []
  const bodies: string[] = []
  const server = createSecureServer({ key: issued.privateKey, cert: issued.certificate })
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => {})
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    let body = ''
    stream.on('data', (chunk) => {
      body += chunk
    })
    stream.on('end', () => {
      bodies.push(body)
      talk(stream, headers, body)
    })
  })
  await listening(server)
  return {
    url: `https://localhost:${portOf(server)}/hook?x=1`,
    sessions,
    bodies,
    talk: (next: Talk) => {
      talk = next
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const identity = () => ({ ca: [authority.certificate], client: null })
const trusting = () => ({ ...within, identity: identity() })

describe('HTTP/2', () => {
  test('is spoken where the receiver speaks it, over one connection', async () => {
    let seen: IncomingHttpHeaders = {}
    await using receiver = await receiver2((stream, headers) => {
      seen = headers
      stream.respond({ ':status': 201, 'X-Request-Id': '7', 'set-cookie': ['a=1', 'b=2'] })
      stream.end('danke ☎')
    })
    await using sender = sending()
    const limits = trusting()
    for (let i = 0; i < 10; i++) {
      expect(await sender.attempt(to(receiver.url), limits)).toMatchObject({
        ok: true,
        statusCode: 201,
        httpVersion: '2',
        remoteAddress: '127.0.0.1',
        responseBody: 'danke ☎',
        responseHeaders: { 'x-request-id': '7', 'set-cookie': 'a=1, b=2' },
      })
    }
    expect(seen).toMatchObject({
      ':method': 'POST',
      ':path': '/hook?x=1',
      'content-type': 'application/json',
      'content-length': String(event.length),
    })
    expect(receiver.bodies).toEqual(Array.from({ length: 10 }, () => event))
    expect(receiver.sessions).toHaveLength(1)
  })

  test('many at the same time share connections once they stand', async () => {
    await using receiver = await receiver2()
    await using sender = sending()
    const limits = trusting()
    await sender.attempt(to(receiver.url), limits)
    const all = Array.from({ length: 30 }, () => sender.attempt(to(receiver.url), limits))
    expect((await Promise.all(all)).every(({ ok }) => ok)).toBe(true)
    expect(receiver.sessions).toHaveLength(1)
  })

  test('the steps are told where a connection was made, and none where it was there', async () => {
    await using receiver = await receiver2()
    await using sender = sending()
    const limits = trusting()
    const { timings } = await sender.attempt(to(receiver.url), limits)
    expect(timings).toMatchObject({
      dnsMs: expect.any(Number),
      connectMs: expect.any(Number),
      tlsMs: expect.any(Number),
      firstByteMs: expect.any(Number),
    })
    const again = await sender.attempt(to(receiver.url), limits)
    expect(again.timings).toMatchObject({ dnsMs: null, connectMs: null, tlsMs: null })
  })

  test.each([
    [500, 'status'],
    [410, 'status'],
    [307, 'redirect'],
  ])('%i', async (status, error) => {
    await using receiver = await receiver2((stream) => {
      stream.respond({ ':status': status, 'retry-after': '7' })
      stream.end('no')
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), trusting())).toMatchObject({
      ok: false,
      statusCode: status,
      error,
      retryAfter: '7',
      responseBody: 'no',
    })
  })

  test('a deadline ends one stream and leaves its neighbours alone', async () => {
    await using receiver = await receiver2()
    await using sender = sending()
    const limits = trusting()
    await sender.attempt(to(receiver.url), limits)
    const streams: ServerHttp2Stream[] = []
    receiver.talk((stream) => void streams.push(stream))
    const [silent, neighbour] = [
      sender.attempt(to(receiver.url), { ...limits, timeoutMs: 300 }),
      sender.attempt(to(receiver.url), limits),
    ]
    expect(await silent).toMatchObject({ error: 'timeout', statusCode: null })
    await waitUntil(() => streams.length === 2, { what: 'both requests' })
    await waitUntil(() => streams.some((stream) => stream.closed), { what: 'one is reset' })
    for (const stream of streams) if (!stream.closed) answer(stream, {}, '')
    expect(await neighbour).toMatchObject({ ok: true })
  })

  test('a connection without an answer is not used again: it may be dead', async () => {
    await using receiver = await receiver2()
    await using sender = sending()
    const limits = trusting()
    await sender.attempt(to(receiver.url), limits)
    receiver.talk(() => {})
    const silent = { ...limits, timeoutMs: 200 }
    expect(await sender.attempt(to(receiver.url), silent)).toMatchObject({ error: 'timeout' })
    receiver.talk(answer)
    expect(await sender.attempt(to(receiver.url), limits)).toMatchObject({ ok: true })
    expect(receiver.sessions).toHaveLength(2)
    await waitUntil(() => receiver.sessions[0]?.closed, { what: 'the first connection ends' })
  })

  test('a dripping body ends with the deadline', async () => {
    await using receiver = await receiver2((stream) => {
      stream.respond({ ':status': 200 })
      const timer = setInterval(() => stream.write('x'), 20)
      stream.on('close', () => clearInterval(timer))
    })
    await using sender = sending()
    const outcome = await sender.attempt(to(receiver.url), { ...trusting(), timeoutMs: 400 })
    expect(outcome).toMatchObject({ error: 'timeout', statusCode: 200 })
    expect(outcome.responseBody).toMatch(/^x+$/)
  })

  test('an endless body is cut, and the connection goes on', async () => {
    await using receiver = await receiver2((stream) => {
      stream.respond({ ':status': 200 })
      const pour = () => {
        while (!stream.destroyed && stream.write('x'.repeat(16_384)));
      }
      stream.on('drain', pour)
      pour()
    })
    await using sender = sending()
    const limits = trusting()
    const outcome = await sender.attempt(to(receiver.url), limits)
    expect(outcome).toMatchObject({ ok: true, responseTruncated: true })
    expect(outcome.responseBody).toHaveLength(64 * 1024)
    receiver.talk(answer)
    expect(await sender.attempt(to(receiver.url), limits)).toMatchObject({ ok: true })
    expect(receiver.sessions).toHaveLength(1)
  })

  test('headers that are too many or too long', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'y'.repeat(300)]),
    )
    await using receiver = await receiver2((stream) => {
      stream.respond({ ':status': 200, ...many })
      stream.end()
    })
    await using sender = sending()
    const outcome = await sender.attempt(to(receiver.url), trusting())
    expect(outcome).toMatchObject({ ok: false, statusCode: null })
    expect(outcome.error).toMatch(/^(response_invalid|connection_lost)$/)
  })

  test.each([
    ['a stream that is reset', (stream: ServerHttp2Stream) => stream.close(2)],
    ['a stream that ends without an answer', (stream: ServerHttp2Stream) => stream.destroy()],
    ['a connection that is cut', (stream: ServerHttp2Stream) => stream.session?.socket.destroy()],
    [
      'a goodbye after which nothing comes',
      (stream: ServerHttp2Stream) => {
        stream.session?.goaway(0, stream.id ?? 0)
        stream.session?.destroy()
      },
    ],
  ])('%s is a lost connection, and the next attempt is not concerned', async (_, breakOff) => {
    await using receiver = await receiver2(breakOff)
    await using sender = sending()
    const limits = trusting()
    const outcome = await sender.attempt(to(receiver.url), limits)
    expect(outcome).toMatchObject({ ok: false, statusCode: null, error: 'connection_lost' })
    receiver.talk(answer)
    expect(await sender.attempt(to(receiver.url), limits)).toMatchObject({ ok: true })
  })

  test('one that breaks in the middle of the answer', async () => {
    await using receiver = await receiver2((stream) => {
      stream.respond({ ':status': 200, 'content-length': '100' })
      stream.write('abc', () => setTimeout(() => stream.close(2), 50))
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), trusting())).toMatchObject({
      ok: false,
      statusCode: 200,
      error: 'connection_lost',
      responseBody: 'abc',
    })
  })

  test('a goodbye while idle: the next request has a new connection', async () => {
    await using receiver = await receiver2()
    await using sender = sending()
    const limits = trusting()
    for (let i = 1; i <= 3; i++) {
      expect(await sender.attempt(to(receiver.url), limits)).toMatchObject({ ok: true })
      const session = receiver.sessions.at(-1)
      session?.close()
      await waitUntil(() => session?.destroyed, { what: 'the end of the connection' })
    }
    expect(receiver.sessions).toHaveLength(3)
  })

  test.each([
    ['garbage', Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')],
    ['a frame that is too large', Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])],
    ['nothing, and then the end', null],
  ])('a server that agrees on HTTP/2 and sends %s', async (_, bytes) => {
    const sockets: TLSSocket[] = []
    const options = { key: issued.privateKey, cert: issued.certificate, ALPNProtocols: ['h2'] }
    const server = createTlsServer(options, (socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.once('data', () => (bytes === null ? socket.end() : socket.write(bytes)))
    })
    await listening(server)
    await using sender = sending()
    const url = `https://localhost:${portOf(server)}/`
    const outcome = await sender.attempt(to(url), { ...trusting(), timeoutMs: 3000 })
    expect(outcome.ok).toBe(false)
    expect(outcome.error).toMatch(/^(response_invalid|connection_lost)$/)
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })

  test('closing the sender ends what is under way', async () => {
    await using receiver = await receiver2(() => {})
    const sender = sending()
    const attempt = sender.attempt(to(receiver.url), trusting())
    const rejected = expect(attempt).rejects.toThrow()
    await waitUntil(() => receiver.bodies.length === 1, { what: 'the request' })
    await sender.close()
    await rejected
  })
})
