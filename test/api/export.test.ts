import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acceptEvents } from '#server/store/accept.ts'
import {
  accept,
  acceptanceOf,
  callEvent,
  claim,
  makeTenant,
  makeWebhook,
  succeed,
} from '#test/conformance/fixture.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

/** More than the buffers of two sockets hold. */
const many = 20_000

test('an export whose reader stands still holds up neither deliveries nor other readers, and is whole in the end', async () => {
  const { store, anna } = server
  const tenant = await makeTenant(store, anna.account.name)
  const old = Array.from({ length: many }, (_, i) => callEvent(tenant, `call ${i}`))
  await acceptEvents(store, acceptanceOf(tenant, old))
  await makeWebhook(store, tenant)

  const socket = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.write(
    `GET /api/v1/events?format=ndjson HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${anna.key}\r\nconnection: close\r\n\r\n`,
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  socket.pause()
  let text = head.toString()
  expect(text).toContain('200 OK')

  const late = callEvent(tenant, 'late')
  await accept(store, tenant, [late], 2_000)
  const [lease] = (await claim(store, 2_000)).leases
  expect(lease?.event.id).toBe(late.id)
  expect(lease === undefined ? false : await succeed(store, lease, 3_000)).toBe(true)
  const list = await anna.request('GET', '/api/v1/deliveries')
  expect(list.body.items).toMatchObject([{ event_id: late.id, state: 'delivered' }])
  expect(socket.readableEnded).toBe(false)

  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.resume()
  await once(socket, 'end')
  // The last chunk of the encoding: the answer was not cut.
  expect(text.endsWith('\r\n0\r\n\r\n')).toBe(true)
  const ids = new Set(text.matchAll(/"id":"(evt_\w+)","type"/g).map(([, id]) => id))
  for (const event of old) expect(ids.has(event.id)).toBe(true)
  expect(ids.has(late.id)).toBe(false)
})
