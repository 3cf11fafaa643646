import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import { CreatedWebhook } from '#contracts/webhook/webhook.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const draft = { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'] }

async function createWebhook(more: object = {}) {
  const reply = await server.anna.request('POST', '/api/v1/webhooks', {
    body: { ...draft, ...more },
  })
  expect(reply.status).toBe(201)
  return { ...reply, address: `/api/v1/webhooks/${reply.body.id}` }
}

test('the creation shows the secret, once, and the defaults', async () => {
  const created = await createWebhook()
  expect(CreatedWebhook.parse(created.body)).toEqual(created.body)
  const { secret, ...webhook } = created.body
  expect(webhook).toMatchObject({
    ...draft,
    enabled: true,
    retries: 3,
    delay_seconds: 0,
    order: 'first_try',
    service_uuid: null,
    disabled_reason: null,
  })
  const read = await server.anna.request('GET', created.address)
  expect(read.body).toEqual(webhook)
  expect(read.headers.get('etag')).toBe(created.headers.get('etag'))
  const list = await server.anna.request('GET', '/api/v1/webhooks')
  expect(list.body.items).toContainEqual(webhook)
  expect(JSON.stringify(list.body)).not.toContain(secret)
  expect(JSON.stringify(server.log())).not.toContain(secret)
})

test('a secret of one’s own is taken, a weak one refused', async () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  expect((await createWebhook({ secret })).body.secret).toBe(secret)
  const weak = { ...draft, secret: 'whsec_c2hvcnQ=' }
  const refused = await server.anna.request('POST', '/api/v1/webhooks', { body: weak })
  expect(refused.body.errors).toEqual([expect.objectContaining({ field: 'secret' })])
})

test('triggers are kept once each', async () => {
  const { body } = await createWebhook({ triggers: ['call.ended', 'call.missed', 'call.ended'] })
  expect(body.triggers).toEqual(['call.ended', 'call.missed'])
})

test('a change leaves what it does not name; disabling and enabling tell the reason', async () => {
  const { address, body } = await createWebhook()
  const changed = await server.anna.request('PATCH', address, { body: { retries: 0 } })
  expect(changed.body).toMatchObject({ retries: 0, url: body.url, triggers: body.triggers })
  const off = await server.anna.request('POST', `${address}/disable`)
  expect(off.body).toMatchObject({ enabled: false, disabled_reason: 'by_user' })
  expect((await server.anna.request('POST', `${address}/disable`)).body.enabled).toBe(false)
  const on = await server.anna.request('POST', `${address}/enable`)
  expect(on.body).toMatchObject({ enabled: true, disabled_reason: null })
  expect((await server.anna.request('DELETE', address)).status).toBe(204)
  expect((await server.anna.request('GET', address)).status).toBe(404)
})

test('If-Match guards change, switch and deletion', async () => {
  const { address } = await createWebhook()
  const headers = { 'if-match': '"stale"' }
  for (const [method, path, body] of [
    ['PATCH', address, { retries: 1 }],
    ['POST', `${address}/disable`, undefined],
    ['DELETE', address, undefined],
  ] as const) {
    const reply = await server.anna.request(method, path, { headers, body })
    expect(reply.body.code).toBe('precondition_failed')
  }
  expect((await server.anna.request('GET', address)).body).toMatchObject({
    enabled: true,
    retries: 3,
  })
})

test('the webhook of another account does not exist', async () => {
  const { address } = await createWebhook()
  for (const [method, path] of [
    ['GET', address],
    ['DELETE', address],
    ['POST', `${address}/disable`],
  ] as const) {
    expect((await server.bert.request(method, path)).body.code).toBe('not_found')
  }
  expect((await server.bert.request('GET', '/api/v1/webhooks')).body.items).toEqual([])
})

test('a webhook belongs to a service of its own account or to none', async () => {
  const service = await server.bert.request('POST', '/api/v1/services', {
    body: { name: 'b', friendly_name: 'B', connection: { kind: 'asterisk_managed' } },
  })
  const service_uuid = service.body.uuid
  const refused = await server.anna.request('POST', '/api/v1/webhooks', {
    body: { ...draft, service_uuid },
  })
  expect(refused.body.errors).toEqual([expect.objectContaining({ field: 'service_uuid' })])
  const { address } = await createWebhook()
  const moved = await server.anna.request('PATCH', address, { body: { service_uuid } })
  expect(moved.body.code).toBe('invalid_input')

  const mine = await server.bert.request('POST', '/api/v1/webhooks', {
    body: { ...draft, service_uuid },
  })
  expect(mine.status).toBe(201)
  const of = async (query: string) =>
    (await server.bert.request('GET', `/api/v1/webhooks?${query}`)).body.items.map(
      (w: Webhook) => w.id,
    )
  expect(await of(`service_uuid=${service_uuid}`)).toEqual([mine.body.id])
  expect(await of('trigger=call.ended')).toEqual([mine.body.id])
  expect(await of('trigger=call.missed')).toEqual([])
})

test.each([
  ['a trigger that there is not', { triggers: ['call.endet'] }, 'triggers[0]', 'not_allowed'],
  ['no trigger', { triggers: [] }, 'triggers', 'too_small'],
  ['a URL with credentials', { url: 'https://me:pw@crm.example/' }, 'url', 'invalid'],
  ['a URL with an empty user', { url: 'https://@crm.example/' }, 'url', 'invalid'],
  ['a URL of another scheme', { url: 'ftp://crm.example/' }, 'url', 'wrong_format'],
  ['a URL of a Unix socket', { url: 'unix:/run/docker.sock' }, 'url', 'wrong_format'],
  ['a URL without a host', { url: 'http:///hook' }, 'url', 'wrong_format'],
  ['a URL with backslashes', { url: 'http:\\\\crm.example\\hook' }, 'url', 'wrong_format'],
  ['a URL with port 0', { url: 'http://crm.example:0/' }, 'url', 'invalid'],
  ['a URL with NUL', { url: 'http://crm.example/\u0000' }, 'url', 'invalid'],
  ['a URL with a line break', { url: 'http://crm.example/a\nb' }, 'url', 'invalid'],
  ['a URL with a space', { url: 'http://crm.example/a b' }, 'url', 'invalid'],
  ['a URL with a fragment', { url: 'http://crm.example/#part' }, 'url', 'invalid'],
  ['a URL with a zone', { url: 'http://[fe80::1%25eth0]/' }, 'url', 'wrong_format'],
  ['a URL of a private address', { url: 'http://0x0a.1/' }, 'url', 'address_forbidden'],
  ['a URL of the port of mail', { url: 'http://crm.example:25/' }, 'url', 'address_forbidden'],
  ['a name that leads inside', { url: 'https://a.internal.example/' }, 'url', 'address_forbidden'],
  ['a number as text', { retries: '3' }, 'retries', 'wrong_type'],
  ['too many retries', { retries: 51 }, 'retries', 'too_large'],
  ['an unknown field', { urll: 'https://crm.example/' }, 'urll', 'unknown_field'],
  ['a field that only replies have', { id: 'wh_1' }, 'id', 'unknown_field'],
])('%s is refused by name', async (_, more, field, code) => {
  const body = { ...draft, ...more }
  const reply = await server.anna.request('POST', '/api/v1/webhooks', { body })
  expect(reply.body).toMatchObject({ status: 422, code: 'invalid_input' })
  expect(reply.body.errors).toEqual([expect.objectContaining({ field, code })])
})

test('a URL that leads inside is refused in a change, too, and says what would allow it', async () => {
  const { address } = await createWebhook()
  const body = { url: 'https://db.internal.example/' }
  const reply = await server.anna.request('PATCH', address, { body })
  expect(reply.body.errors).toEqual([
    {
      field: 'url',
      code: 'address_forbidden',
      message:
        'db.internal.example leads to 10.0.0.5, which is a private address (10.0.0.0/8); the administrator can allow it: OFFHOOK_ALLOW_ADDRESSES=10.0.0.5.',
    },
  ])
  expect((await server.anna.request('PATCH', address, { body: { name: 'New' } })).status).toBe(200)
})

describe('Idempotency-Key', () => {
  const create = (key: string, body: object = draft) =>
    server.anna.request('POST', '/api/v1/webhooks', { body, headers: { 'idempotency-key': key } })
  const count = async () => {
    const { body } = await server.anna.request('GET', '/api/v1/webhooks?limit=100')
    return body.items.length as number
  }

  test('a repetition has no second effect and the same reply, with the secret', async () => {
    const before = await count()
    const first = await create('key-1')
    const second = await create('key-1', { ...draft })
    expect(second).toMatchObject({ status: 201, body: first.body })
    expect(second.headers.get('idempotency-replayed')).toBe('true')
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'))
    expect(await count()).toBe(before + 1)
  })

  test('repetitions at the same time create one webhook', async () => {
    const before = await count()
    const replies = await Promise.all(Array.from({ length: 8 }, () => create('key-2')))
    const created = replies.filter((r) => r.status === 201)
    expect(new Set(created.map((r) => r.body.id)).size).toBe(1)
    for (const other of replies.filter((r) => r.status !== 201)) {
      expect(other.body).toMatchObject({ status: 409, code: 'idempotency_in_progress' })
    }
    expect(await count()).toBe(before + 1)
  })

  test('a key belongs to one request, and to one account', async () => {
    await create('key-3')
    expect((await create('key-3', { ...draft, name: 'Other' })).body).toMatchObject({
      status: 422,
      code: 'idempotency_key_reused',
    })
    const headers = { 'idempotency-key': 'key-3' }
    const other = await server.bert.request('POST', '/api/v1/webhooks', { body: draft, headers })
    expect(other.status).toBe(201)
    expect(other.headers.get('idempotency-replayed')).toBeNull()
  })

  test('a refused request leaves its key free', async () => {
    const taken = { name: 'i1', friendly_name: 'I', connection: { kind: 'asterisk_managed' } }
    await server.anna.request('POST', '/api/v1/services', { body: taken })
    const headers = { 'idempotency-key': 'key-4' }
    const refused = await server.anna.request('POST', '/api/v1/services', { body: taken, headers })
    expect(refused.body.code).toBe('name_taken')
    const mended = { ...taken, name: 'i2' }
    expect(
      (await server.anna.request('POST', '/api/v1/services', { body: mended, headers })).status,
    ).toBe(201)
  })

  test('the secret in a remembered reply is not in the database in the clear', async () => {
    const { body } = await create('key-5')
    const rows = await server.store.read.selectFrom('idempotency_key').selectAll().execute()
    expect(rows.map((row) => row.key)).toContain('key-5')
    expect(JSON.stringify(rows)).not.toContain(body.secret)
  })
})
