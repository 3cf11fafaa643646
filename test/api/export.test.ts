import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acceptEvents } from '#server/store/accept.ts'
import { preparePartitions } from '#server/store/partitions.ts'
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

const rows = 200_000
const mebibyte = 1024 ** 2

/** Events of Bert, as if that many had been accepted. */
async function fillEvents(): Promise<void> {
  const { store, bert } = server
  const tenant = await makeTenant(store, bert.account.name)
  await preparePartitions(store, 1_000)
  const sample = callEvent(tenant, 'one of many')
  await store.write.transaction().execute(async (trx) => {
    await sql`
      insert into event (id, account_id, service_uuid, type, call_uuid, occurred_at, created_at)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})
      select 'evt_many' || i, ${bert.account.id}, ${tenant.serviceUuid}, ${sample.type}, null, 1000 + i, 1000
      from n`.execute(trx)
    await sql`
      insert into event_body_0 (event_seq, body)
      select seq, replace(${JSON.stringify(sample)}, ${sample.id}, id) from event
      where account_id = ${bert.account.id}`.execute(trx)
  })
}

test('200,000 rows are streamed, in less memory than they have bytes', {
  timeout: 120_000,
}, async () => {
  await fillEvents()
  const used = () => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  const request = get(`${server.url}/api/v1/events?format=ndjson`, {
    headers: { authorization: `Bearer ${server.bert.key}` },
  })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  let [bytes, lines, most] = [0, 0, 0]
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1
    most = Math.max(most, used() - before)
  }
  expect(answer.complete).toBe(true)
  expect(lines).toBe(rows)
  expect(bytes).toBeGreaterThan(120 * mebibyte)
  // 61 MiB were seen, with the garbage that V8 had not looked at yet; 321 where the text is made before it is sent.
  expect(most).toBeLessThan(110 * mebibyte)
})
