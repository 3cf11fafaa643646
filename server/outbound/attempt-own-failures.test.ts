import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createSender } from '#server/outbound/attempt.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, peer, sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

describe('our own failures', () => {
  test('a request that is none rejects', async () => {
    await using sender = sending()
    await expect(sender.attempt(to('no url'), within)).rejects.toThrow()
    const broken = { ...to('http://127.0.0.1:8/'), headers: { 'x-a': 'b\r\nx-c: d' } }
    await expect(sender.attempt(broken, within)).rejects.toThrow('invalid')
  })

  test('no file descriptors left is not the fault of a receiver', async () => {
    await using receiver = await startReceiver()
    receiver.setMode('stall')
    const script = `
      import { createSender } from '#server/outbound/attempt.ts'
      import { loopbackPolicy } from '#test/support/sending.ts'
      const sender = createSender({ policy: loopbackPolicy })
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
    const sender = createSender({ policy: loopbackPolicy })
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
