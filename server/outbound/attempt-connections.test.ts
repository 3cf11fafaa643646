import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createNameResolver } from '#server/outbound/name-resolver.ts'
import { startDnsServer } from '#test/support/dns-server.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { ok, peer, sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

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
    await using dns = await startDnsServer(() => ({}))
    await using sender = sending({ resolver: createNameResolver({ servers: [dns.address] }) })
    expect(await sender.attempt(to('http://receiver.invalid/hook'), within)).toMatchObject({
      error: 'dns',
      errorDetail: 'The name of receiver.invalid:80 cannot be resolved (ENOTFOUND).',
    })
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
