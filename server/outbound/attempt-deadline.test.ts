import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startReceiver } from '#test/support/receiver.ts'
import { drip, peer, sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

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
