import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'
import { startReceiver } from '#test/support/receiver.ts'

const secret = newSecret(new Uint8Array(24).fill(1))
const otherSecret = newSecret(new Uint8Array(24).fill(2))
const event = eventSamples['call.ended']
const body = nativeBody(event)

const send = (url: string, signedWith = secret) =>
  fetch(url, {
    method: 'POST',
    headers: { ...signatureHeaders({ id: event.id, at: Date.now(), body }, [signedWith]) },
    body,
  })

test('records requests and whether their signature is good', async () => {
  await using receiver = await startReceiver({ secret })
  await send(receiver.url)
  await send(receiver.url, otherSecret)
  await fetch(`${receiver.url}x?y=1`, { method: 'POST', body: 'no JSON' })
  expect(receiver.requests.map(({ path, verified, event: e }) => [path, verified, e?.id])).toEqual([
    ['/', true, event.id],
    ['/', false, event.id],
    ['/x?y=1', false, undefined],
  ])
  expect(receiver.requests[0]?.body.toString()).toBe(body)
  const times = receiver.requests.map(({ at }) => at)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('verifies nothing without a secret, and with either of two', async () => {
  await using open = await startReceiver()
  await send(open.url)
  expect(open.requests[0]?.verified).toBeNull()
  await using rotating = await startReceiver({ secret: [otherSecret, secret] })
  await send(rotating.url)
  await send(rotating.url, otherSecret)
  expect(rotating.requests.map(({ verified }) => verified)).toEqual([true, true])
})

test('answers as told', async () => {
  await using receiver = await startReceiver({
    respond: () => ({ status: 429, headers: { 'retry-after': '7' }, body: 'slow down' }),
  })
  const first = await send(receiver.url)
  expect([first.status, first.headers.get('retry-after'), await first.text()]).toEqual([
    429,
    '7',
    'slow down',
  ])
  receiver.respond((request) => ({ body: request.event?.type ?? '' }))
  expect(await (await send(receiver.url)).text()).toBe('call.ended')
})

test('fails, stalls and resets, and records what it did so to', async () => {
  await using receiver = await startReceiver()
  receiver.setMode('fail')
  expect((await send(receiver.url)).status).toBe(500)
  receiver.setMode('reset')
  await expect(send(receiver.url)).rejects.toThrow()
  receiver.setMode('stall')
  const stalled = send(receiver.url).then(
    () => 'answered',
    () => 'cut off',
  )
  await receiver.waitFor((requests) => requests.length === 3, 'the stalled request')
  await receiver.stop()
  expect(await stalled).toBe('cut off')
})

test('comes back on the same port', async () => {
  await using receiver = await startReceiver()
  await send(receiver.url)
  await receiver.stop()
  await expect(send(receiver.url)).rejects.toThrow()
  await receiver.restart()
  expect((await send(receiver.url)).status).toBe(200)
  expect(receiver.requests).toHaveLength(2)
})

test('waiting ends with what is waited for, or says what came instead', async () => {
  await using receiver = await startReceiver()
  const waiting = receiver.waitFor((requests) => requests.length >= 2, 'two requests')
  await send(receiver.url)
  expect(await Promise.race([waiting, pause(50, 'still waiting')])).toBe('still waiting')
  await send(receiver.url)
  expect(await waiting).toHaveLength(2)
  await expect(receiver.waitFor(() => false, 'the impossible', 50)).rejects.toThrow(
    'Waited 50 ms in vain for the impossible; there came call.ended, call.ended.',
  )
})
