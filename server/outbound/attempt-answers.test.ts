import { describe, expect, test } from 'vitest'
import { startReceiver } from '#test/support/receiver.ts'
import { drip, event, ok, peer, sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

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
