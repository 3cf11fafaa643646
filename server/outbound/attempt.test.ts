import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { renderRequest } from '#server/domain/render.ts'
import { createSender, type Sender, type SenderOptions } from '#server/outbound/attempt.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

/*
 * Receivers as they should not be are raw TCP servers here: they say exactly the bytes that the test wants.
 */

const event = '{"id":"evt_1","type":"call.ended"}'
const to = (url: string, body = event) => renderRequest(body, { url }, '0.0.0')
const within = { timeoutMs: 5000 }

function sending(options?: SenderOptions): Sender & AsyncDisposable {
  const sender = createSender(options)
  return { ...sender, [Symbol.asyncDispose]: sender.close }
}

interface Peer extends AsyncDisposable {
  readonly url: string
  readonly sockets: readonly Socket[]
  /** Everything that came, over all connections. */
  readonly received: () => string
}

/** A TCP server; `talk` is called for each connection, `asked` for each piece of data that comes over one. */
async function peer(
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

async function listening(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
}

const portOf = (server: Server) => (server.address() as AddressInfo).port

/** Sends again and again until the connection ends. */
function drip(socket: Socket, text: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(text), everyMs)
  socket.on('close', () => clearInterval(timer))
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

describe('answers', () => {
  test('200: what was sent, what came back, how long it took', async () => {
    await using receiver = await startReceiver({
      respond: () => ({ body: 'danke ☎', headers: { 'X-Request-Id': '7' } }),
    })
    await using sender = sending()
    const outcome = await sender.attempt(to(`${receiver.url}hooks/7?tenant=a%20b`), within)
    expect(outcome).toMatchObject({
      ok: true,
      statusCode: 200,
      error: null,
      errorDetail: null,
      responseBody: 'danke ☎',
      responseTruncated: false,
      responseHeaders: { 'x-request-id': '7' },
      retryAfter: null,
    })
    const { durationMs, timings } = outcome
    expect(Number.isInteger(durationMs)).toBe(true)
    expect(timings).toMatchObject({ dnsMs: null, tlsMs: null })
    expect(timings.connectMs).toBeLessThanOrEqual(timings.firstByteMs ?? -1)
    expect(timings.firstByteMs).toBeLessThanOrEqual(durationMs)
    expect(outcome).toMatchObject({ remoteAddress: '127.0.0.1', httpVersion: '1.1' })
    const again = await sender.attempt(to(receiver.url), within)
    expect(again.timings).toMatchObject({ dnsMs: null, connectMs: null, tlsMs: null })
    expect(again).toMatchObject({ remoteAddress: '127.0.0.1', httpVersion: '1.1' })
    const [request] = receiver.requests
    expect(request).toMatchObject({ method: 'POST', path: '/hooks/7?tenant=a%20b' })
    expect(request?.body.toString()).toBe(event)
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(event.length),
      'user-agent': 'Offhook/0.0.0',
      host: new URL(receiver.url).host,
    })
  })

  test.each([
    [204, true, null, null],
    [201, true, null, null],
    [410, false, 'status', 'The receiver answered 410 (Gone).'],
    [500, false, 'status', 'The receiver answered 500 (Internal Server Error).'],
    [799, false, 'status', 'The receiver answered 799.'],
  ])('%i', async (status, good, error, errorDetail) => {
    await using receiver = await startReceiver({ respond: () => ({ status }) })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      ok: good,
      statusCode: status,
      error,
      errorDetail,
    })
  })

  test('429 with Retry-After', async () => {
    await using receiver = await startReceiver({
      respond: () => ({ status: 429, headers: { 'Retry-After': '120' }, body: 'slow down' }),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'status',
      statusCode: 429,
      retryAfter: '120',
      responseBody: 'slow down',
    })
  })

  test.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
    await using elsewhere = await startReceiver()
    await using receiver = await startReceiver({
      respond: () => ({ status, headers: { location: `${elsewhere.url}x?token=s3cret` } }),
    })
    await using sender = sending()
    const outcome = await sender.attempt(to(receiver.url), within)
    expect(outcome).toMatchObject({ ok: false, statusCode: status, error: 'redirect' })
    expect(outcome.errorDetail).toContain(`redirects (${status}) to ${elsewhere.url}x?token=***;`)
    expect(elsewhere.requests).toEqual([])
  })

  test('a header that comes several times, and one with a dangerous name', async () => {
    await using receiver = await peer({
      asked: (socket) =>
        socket.end('HTTP/1.1 200 OK\r\nwarning: a\r\nwarning: b\r\n__proto__: c\r\n\r\n'),
    })
    await using sender = sending()
    const { responseHeaders } = await sender.attempt(to(receiver.url), within)
    expect(responseHeaders?.warning).toBe('a, b')
    expect(Object.getPrototypeOf(responseHeaders)).toBe(Object.prototype)
  })

  test('informational answers come before the real one', async () => {
    await using receiver = await peer({
      asked: (socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${ok}`),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      ok: true,
      statusCode: 200,
      responseBody: 'ok',
    })
  })
})

describe('answers that are too much', () => {
  test('an endless body: 64 KiB are kept, the connection is closed, and 2xx counts', async () => {
    let sent = 0
    await using receiver = await peer({
      asked(socket) {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
        const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
        const pour = () => {
          while (!socket.destroyed && socket.write(chunk)) sent += 0x4000
        }
        socket.on('drain', pour)
        pour()
      },
    })
    await using sender = sending()
    const outcome = await sender.attempt(to(receiver.url), within)
    expect(outcome).toMatchObject({ ok: true, statusCode: 200, responseTruncated: true })
    expect(outcome.responseBody).toBe('x'.repeat(64 * 1024))
    await waitUntil(() => receiver.sockets[0]?.destroyed, { what: 'the end of the connection' })
    // Buffers of both kernels in between, but far from endless.
    expect(sent).toBeLessThan(20_000_000)
  })

  test('a body of exactly 64 KiB is whole', async () => {
    const body = 'x'.repeat(64 * 1024)
    await using receiver = await startReceiver({ respond: () => ({ status: 500, body }) })
    await using sender = sending()
    const outcome = await sender.attempt(to(receiver.url), within)
    expect(outcome).toMatchObject({ error: 'status', responseTruncated: false })
    expect(outcome.responseBody).toHaveLength(64 * 1024)
    receiver.respond(() => ({ status: 500, body: `${body}x` }))
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'status',
      responseTruncated: true,
    })
  })

  test('endless headers', async () => {
    await using receiver = await peer({
      asked(socket) {
        socket.write('HTTP/1.1 200 OK\r\n')
        drip(socket, `x-more: ${'y'.repeat(4000)}\r\n`, 1)
      },
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      ok: false,
      error: 'response_invalid',
      statusCode: null,
      errorDetail: 'The headers of the answer are too large.',
    })
  })

  test('one endless header line', async () => {
    await using receiver = await peer({
      asked(socket) {
        socket.write('HTTP/1.1 200 OK\r\nx-more: ')
        drip(socket, 'y'.repeat(4000), 1)
      },
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'response_invalid',
    })
  })
})

describe('answers that take too long', () => {
  const short = { timeoutMs: 300 }

  test('a dripping body ends with the deadline, not with the body', async () => {
    await using receiver = await peer({
      asked(socket) {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n')
        drip(socket, 'x', 20)
      },
    })
    await using sender = sending()
    const outcome = await sender.attempt(to(receiver.url), short)
    expect(outcome).toMatchObject({
      ok: false,
      error: 'timeout',
      statusCode: 200,
      errorDetail: 'The answer (200) was not complete within 0.3 s.',
    })
    expect(outcome.responseBody).toMatch(/^x+$/)
    expect(outcome.durationMs).toBeGreaterThanOrEqual(299)
    expect(outcome.durationMs).toBeLessThan(2000)
    await waitUntil(() => receiver.sockets[0]?.destroyed, { what: 'the end of the connection' })
  })

  test('dripping headers', async () => {
    await using receiver = await peer({
      asked(socket) {
        socket.write('HTTP/1.1 200 OK\r\nx-slow: ')
        drip(socket, 'x', 20)
      },
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), short)).toMatchObject({
      error: 'timeout',
      statusCode: null,
      errorDetail: 'No answer came within 0.3 s.',
    })
  })

  test('informational answers without end', async () => {
    await using receiver = await peer({
      asked: (socket) => drip(socket, 'HTTP/1.1 102 Processing\r\n\r\n', 20),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), short)).toMatchObject({ error: 'timeout' })
  })

  test('a receiver that takes the request and is silent', async () => {
    await using receiver = await startReceiver()
    receiver.setMode('stall')
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), short)).toMatchObject({ error: 'timeout' })
    expect(receiver.requests).toHaveLength(1)
  })

  test('an answer that came in time counts, also when this process stood still until later', async () => {
    const script = `require('node:http').createServer((request, response) => response.end('ok'))
      .listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      await using sender = sending()
      const request = to(`http://127.0.0.1:${Number(line.toString())}/`)
      await sender.attempt(request, within)
      const attempt = sender.attempt(request, short)
      await nextTurn()
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
      expect(await attempt).toMatchObject({ ok: true, responseBody: 'ok' })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  test('a receiver that does not read: a large request is not sent to its end', async () => {
    await using receiver = await peer({ talk: (socket) => socket.pause() })
    await using sender = sending()
    const large = to(receiver.url, JSON.stringify('x'.repeat(20_000_000)))
    expect(await sender.attempt(large, short)).toMatchObject({ error: 'timeout' })
  })
})

describe('connections that break', () => {
  test('reset before an answer', async () => {
    await using receiver = await startReceiver()
    receiver.setMode('reset')
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'connection_lost',
      statusCode: null,
      responseBody: null,
      responseHeaders: null,
      errorDetail: 'The connection was reset before an answer came.',
    })
  })

  test('an empty reply', async () => {
    await using receiver = await peer({ asked: (socket) => socket.end() })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'connection_lost',
      errorDetail: 'The connection was closed before an answer came.',
    })
  })

  test('closed in the middle of the headers', async () => {
    await using receiver = await peer({
      asked: (socket) => socket.end('HTTP/1.1 200 OK\r\nx-a: b'),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'connection_lost',
      statusCode: null,
    })
  })

  test('reset after the headers', async () => {
    await using receiver = await peer({
      asked(socket) {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc', () =>
          setTimeout(() => socket.resetAndDestroy(), 30),
        )
      },
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      ok: false,
      error: 'connection_lost',
      statusCode: 200,
      responseBody: 'abc',
      errorDetail: 'The connection was reset before the answer was complete.',
    })
  })

  test.each([
    ['a body shorter than its content-length', 'content-length: 100\r\n\r\nabc'],
    ['a body that ends within a chunk', 'transfer-encoding: chunked\r\n\r\n64\r\nabc'],
    ['no last chunk', 'transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('%s', async (_, rest) => {
    await using receiver = await peer({
      asked: (socket) => socket.end(`HTTP/1.1 200 OK\r\n${rest}`),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      ok: false,
      error: 'connection_lost',
      statusCode: 200,
      responseBody: 'abc',
    })
  })
})

describe('answers that are no HTTP/1.1', () => {
  test.each([
    ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['binary garbage', '\u0015\u0003\u0001\u0000\u0002\u0002\u0050'],
    ['a content-length that is no number', 'HTTP/1.1 200 OK\r\ncontent-length: abc\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    [
      'an upgrade that nobody wanted',
      'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    ],
    ['a control character in a header', 'HTTP/1.1 200 OK\r\nx-a: b\u0000c\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    await using receiver = await peer({ asked: (socket) => socket.write(bytes) })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      ok: false,
      error: 'response_invalid',
    })
  })

  test('a server that speaks first', async () => {
    await using receiver = await peer({
      talk: (socket) => socket.write('220 mail.example ESMTP\r\n'),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      ok: false,
      error: 'response_invalid',
    })
  })
})

describe('connections that are not made', () => {
  test('refused', async () => {
    const receiver = await startReceiver()
    await receiver.stop()
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'connect_refused',
      errorDetail: `${new URL(receiver.url).host} refuses the connection.`,
      timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null },
      remoteAddress: null,
      httpVersion: null,
    })
  })

  test('a name that does not exist', async () => {
    await using sender = sending()
    const outcome = await sender.attempt(to('http://receiver.invalid/hook'), { timeoutMs: 15_000 })
    expect(outcome).toMatchObject({ error: 'dns' })
    expect(outcome.errorDetail).toMatch(/^The name of receiver\.invalid:80 c/)
  })

  test('an answer to the connection that does not come: within the time, and given up at once', async () => {
    await using full = await fullServer()
    await using sender = sending()
    const before = connecting()
    const outcome = await sender.attempt(to(`http://${full.host}/`), { timeoutMs: 300 })
    expect(outcome).toMatchObject({
      error: 'connect_timeout',
      errorDetail: `No connection to ${full.host} within 0.3 s.`,
    })
    expect(outcome.durationMs).toBeLessThan(2000)
    await waitUntil(() => connecting() === before, { what: 'the end of the connecting' })
  })

  test('the time to connect can be shorter than that of the attempt', async () => {
    await using full = await fullServer()
    await using sender = sending({ connectTimeoutMs: 100 })
    expect(await sender.attempt(to(`http://${full.host}/`), within)).toMatchObject({
      error: 'connect_timeout',
      errorDetail: `No connection to ${full.host} within 0.1 s.`,
    })
  })
})

/** How many connections this process waits for. */
const connecting = () =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPConnectWrap').length

/**
 * A port whose queue is full: its process sleeps, so that the kernel leaves further connections without an answer, as
 * a firewall that drops packets does.
 */
async function fullServer() {
  const script = `require('node:net').createServer().listen(
    { host: '127.0.0.1', port: 0, backlog: 1 },
    function () { console.log(this.address().port); process.kill(process.pid, 'SIGSTOP') })`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  const fillers: Socket[] = []
  for (let connected = true; connected; ) {
    const filler = connect(port, '127.0.0.1').on('error', () => {})
    fillers.push(filler)
    connected = await Promise.race([once(filler, 'connect').then(() => true), pause(300, false)])
  }
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

describe('TLS', () => {
  let folder = ''
  let cert = ''
  let key = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'offhook-tls-'))
    const paths = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const files = ['-keyout', paths.key, '-out', paths.cert, '-days', '1']
    await promisify(execFile)('openssl', ['req', ...kind, ...files, ...subject])
    key = await readFile(paths.key, 'utf8')
    cert = await readFile(paths.cert, 'utf8')
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  async function secureReceiver() {
    const requests: string[] = []
    const server = createTlsServer({ key, cert }, (request, response) => {
      requests.push(request.url ?? '')
      response.end('ok')
    })
    await listening(server)
    return {
      port: portOf(server),
      requests,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      },
    }
  }

  test('a certificate that nobody vouches for is refused before anything is sent', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const outcome = await sender.attempt(to(`https://localhost:${receiver.port}/`), within)
    expect(outcome).toMatchObject({ ok: false, error: 'tls' })
    expect(outcome.errorDetail).toContain('self-signed certificate')
    expect(receiver.requests).toEqual([])
  })

  test('a trusted authority makes it good, for the names of the certificate', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending({ ca: [cert] })
    const good = await sender.attempt(to(`https://localhost:${receiver.port}/`), within)
    expect(good).toMatchObject({ ok: true, responseBody: 'ok' })
    const other = await sender.attempt(to(`https://127.0.0.1:${receiver.port}/`), within)
    expect(other).toMatchObject({ ok: false, error: 'tls' })
    expect(other.errorDetail).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(receiver.requests).toHaveLength(1)
  })

  test('https:// to a server without TLS says so', async () => {
    await using receiver = await startReceiver()
    await using sender = sending()
    const url = receiver.url.replace('http:', 'https:')
    const outcome = await sender.attempt(to(url), within)
    expect(outcome).toMatchObject({ error: 'tls' })
    expect(outcome.errorDetail).toContain('does not speak TLS')
  })

  test('http:// to a server with TLS', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const outcome = await sender.attempt(to(`http://localhost:${receiver.port}/`), within)
    expect(outcome.ok).toBe(false)
    expect(outcome.error).toMatch(/^(connection_lost|response_invalid)$/)
  })

  test('a handshake that does not end, and one that is broken off', async () => {
    await using silent = await peer()
    await using sender = sending()
    const url = silent.url.replace('http:', 'https:')
    const host = new URL(url).host
    expect(await sender.attempt(to(url), { timeoutMs: 200 })).toMatchObject({
      error: 'tls',
      errorDetail: `${host} did not complete the TLS handshake within 0.2 s.`,
    })
    await waitUntil(() => silent.sockets[0]?.destroyed, { what: 'the end of the connection' })
    await using rude = await peer({ asked: (socket) => socket.destroy() })
    expect(await sender.attempt(to(rude.url.replace('http:', 'https:')), within)).toMatchObject({
      error: 'tls',
    })
  })
})

describe('connections that stay open', () => {
  test('requests one after the other share one', async () => {
    await using receiver = await startReceiver()
    await using sender = sending()
    for (let i = 0; i < 20; i++) {
      expect((await sender.attempt(to(receiver.url), within)).ok).toBe(true)
    }
    expect(receiver.connections()).toBe(1)
  })

  test('requests at the same time have one each, and share those later', async () => {
    await using receiver = await startReceiver({ respond: () => ({ delayMs: 50 }) })
    await using sender = sending()
    for (let round = 0; round < 3; round++) {
      const all = Array.from({ length: 5 }, () => sender.attempt(to(receiver.url), within))
      for (const outcome of await Promise.all(all)) expect(outcome.ok).toBe(true)
    }
    expect(receiver.connections()).toBe(5)
  })

  test('one that the receiver closed meanwhile is replaced before anything is sent', async () => {
    await using receiver = await peer({ asked: (socket) => socket.write(ok) })
    await using sender = sending()
    for (let i = 1; i <= 5; i++) {
      expect((await sender.attempt(to(receiver.url), within)).ok).toBe(true)
      const last = receiver.sockets.at(-1)
      if (last === undefined) throw new Error('No connection came.')
      last.end()
      await once(last, 'close')
    }
    expect(receiver.sockets).toHaveLength(5)
  })

  test('one that the receiver closes right after each answer never costs a request', async () => {
    await using receiver = await peer({ asked: (socket) => socket.end(ok) })
    await using sender = sending()
    for (let i = 0; i < 50; i++) {
      expect((await sender.attempt(to(receiver.url), within)).ok).toBe(true)
    }
    expect(receiver.received().split('POST /hook').length - 1).toBe(50)
  })

  test('one that ends after the request was written: lost, and not sent a second time', async () => {
    let requests = 0
    await using receiver = await peer({
      asked(socket) {
        requests += 1
        if (requests === 2) socket.destroy()
        else socket.write(ok)
      },
    })
    await using sender = sending()
    expect((await sender.attempt(to(receiver.url), within)).ok).toBe(true)
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'connection_lost',
    })
    expect((await sender.attempt(to(receiver.url), within)).ok).toBe(true)
    expect(requests).toBe(3)
    expect(receiver.sockets).toHaveLength(2)
  })

  test('an answer that comes too late is not taken for that of the next request', async () => {
    await using receiver = await peer({
      asked: (socket, connection) =>
        connection === 1
          ? setTimeout(() => socket.write(ok.replace('200', '500')), 250)
          : socket.write(ok),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), { timeoutMs: 200 })).toMatchObject({
      error: 'timeout',
    })
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({ ok: true })
  })

  test('an unasked-for second answer is not taken for that of the next request', async () => {
    await using receiver = await peer({
      asked: (socket, connection) =>
        socket.write(connection === 1 ? ok + ok.replace('200', '500') : ok),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({ ok: true })
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({ ok: true })
  })
})

describe('our own failures', () => {
  test('a request that is none rejects', async () => {
    await using sender = sending()
    await expect(sender.attempt(to('no url'), within)).rejects.toThrow()
    const broken = { ...to('http://127.0.0.1:9/'), headers: { 'x-a': 'b\r\nx-c: d' } }
    await expect(sender.attempt(broken, within)).rejects.toThrow('invalid')
  })

  test('no file descriptors left is not the fault of a receiver', async () => {
    await using receiver = await startReceiver()
    receiver.setMode('stall')
    const script = `
      import { createSender } from '#server/outbound/attempt.ts'
      const sender = createSender()
      const request = ${JSON.stringify(to(receiver.url))}
      const attempts = Array.from({ length: 80 }, () => sender.attempt(request, { timeoutMs: 1000 }))
      const told = (await Promise.allSettled(attempts)).map(({ value, reason }) => value?.error ?? reason.code)
      await sender.close()
      console.log(JSON.stringify([...new Set(told)].sort()))`
    // The limit must be that of a process of its own; it is low enough for 80 connections to be too many.
    const limited = [
      '-c',
      'ulimit -n 60 && exec "$0" --input-type=module -e "$1"',
      process.execPath,
    ]
    const { stdout } = await promisify(execFile)('bash', [...limited, script])
    expect(JSON.parse(stdout)).toEqual(['EMFILE', 'timeout'])
  })

  test('closing ends what is under way, also a connection that is being made', async () => {
    await using receiver = await startReceiver()
    receiver.setMode('stall')
    await using silent = await peer()
    const sender = createSender()
    const attempts = Promise.allSettled([
      sender.attempt(to(receiver.url), within),
      sender.attempt(to(silent.url.replace('http:', 'https:')), within),
    ])
    await receiver.waitFor((requests) => requests.length === 1, 'the request')
    await waitUntil(() => silent.sockets.length === 1, { what: 'the connection' })
    await sender.close()
    expect((await attempts).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await waitUntil(() => silent.sockets[0]?.destroyed, { what: 'the end of the connection' })
    await expect(sender.attempt(to(receiver.url), within)).rejects.toThrow()
  })
})
