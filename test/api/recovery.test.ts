/** Sending again, replaying, cancelling and enabling by the API; test/conformance/recovery.ts has what each one does. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { BulkResult } from '#contracts/bulk.ts'
import { Delivery } from '#contracts/delivery.ts'
import { Webhook } from '#contracts/webhook/webhook.ts'
import {
  accept,
  callEvent,
  claim,
  failUntil,
  giveUp,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
let tenant: Tenant
let webhookId: string
let named = 0

beforeAll(async () => {
  server = await startApi()
  const made = await makeTenant(server.store, 'anna')
  tenant = { account: server.anna.account, serviceUuid: made.serviceUuid }
})
afterAll(async () => await server[Symbol.asyncDispose]())
beforeEach(async () => {
  webhookId = (await makeWebhook(server.store, tenant, { order: 'none' })).id
})

const post = async (path: string, body?: object) =>
  await server.anna.request('POST', `/api/v1${path}`, { body })
const get = async (path: string) => (await server.anna.request('GET', `/api/v1${path}`)).body

/** Makes events; returns the ids of the deliveries to the webhook of the test. */
async function acceptCalls(count: number): Promise<string[]> {
  const calls = Array.from({ length: count }, () => {
    named += 1
    return callEvent(tenant, `api ${named}`)
  })
  await accept(server.store, tenant, calls, Date.now())
  const { items } = await get(`/deliveries?webhook_id=${webhookId}&limit=100`)
  return items.map((d: { id: string }) => d.id).toReversed()
}

async function giveUpAll(): Promise<void> {
  for (;;) {
    const { leases } = await claim(server.store, Date.now())
    if (leases.length === 0) return
    for (const lease of leases) await giveUp(server.store, lease, null, Date.now())
    for (const id of new Set(leases.map((l) => l.webhook.id))) await post(`/webhooks/${id}/enable`)
  }
}

const since = '2020-01-01T00:00:00.000Z'

test('one delivery is resent; twice is harmless, and it says so', async () => {
  const [id] = await acceptCalls(1)
  await giveUpAll()
  const resent = await post(`/deliveries/${id}/resend`)
  expect(resent.status).toBe(200)
  expect(Delivery.parse(resent.body)).toMatchObject({ id, state: 'pending', resends: 1 })
  expect((await post(`/deliveries/${id}/resend`)).body).toMatchObject({ resends: 1 })
})

test('one delivery is cancelled; what is under way is not', async () => {
  const [first, second] = await acceptCalls(2)
  expect((await post(`/deliveries/${first}/cancel`)).body).toMatchObject({ state: 'cancelled' })
  expect((await post(`/deliveries/${first}/cancel`)).status).toBe(200)
  const { leases } = await claim(server.store, Date.now())
  expect((await post(`/deliveries/${second}/cancel`)).body).toMatchObject({
    status: 409,
    code: 'not_waiting',
  })
  for (const lease of leases) await giveUp(server.store, lease, null, Date.now())
})

test('all that was given up is recovered, with its count', async () => {
  await acceptCalls(12)
  await giveUpAll()
  const none = await post(`/webhooks/${webhookId}/recover`, { since, until: since })
  expect(none.body).toEqual({ count: 0, next_cursor: null })
  const all = await post(`/webhooks/${webhookId}/recover`, { since })
  expect(BulkResult.parse(all.body)).toEqual({ count: 12, next_cursor: null })
  const again = await post(`/webhooks/${webhookId}/recover`, { since })
  expect(again.body.count).toBe(0)
})

test('what is missing is replayed; a webhook that a user disabled has to be enabled first', async () => {
  await post(`/webhooks/${webhookId}/disable`)
  expect(await acceptCalls(7)).toEqual([])
  const period = { since: callEvent(tenant, 'x').occurred_at }
  const refused = await post(`/webhooks/${webhookId}/replay-missing`, period)
  expect(refused.body).toMatchObject({ status: 409, code: 'webhook_disabled' })
  await post(`/webhooks/${webhookId}/enable`)
  // Those of the tests before happened at the same time, and before this webhook was there.
  const replayed = await post(`/webhooks/${webhookId}/replay-missing`, period)
  expect(replayed.body).toEqual({ count: named, next_cursor: null })
  const { items } = await get(`/deliveries?webhook_id=${webhookId}&limit=100`)
  expect(items).toHaveLength(named)
  expect(items[0]).toMatchObject({ origin: 'replay', state: 'pending' })
})

test('everything that waits is cancelled', async () => {
  await acceptCalls(5)
  const cancelled = await post(`/webhooks/${webhookId}/cancel-waiting`)
  expect(cancelled.body).toEqual({ count: 5, next_cursor: null })
  const { items } = await get(`/deliveries?webhook_id=${webhookId}&state=cancelled`)
  expect(items).toHaveLength(5)
})

test('those that were disabled automatically are enabled together, and only those', async () => {
  await acceptCalls(1)
  const off = (await makeWebhook(server.store, tenant)).id
  await post(`/webhooks/${off}/disable`)
  const { leases } = await claim(server.store, Date.now())
  const mine = leases.find((l) => l.webhook.id === webhookId)
  if (mine === undefined) throw new Error('no lease')
  await giveUp(server.store, mine, 'gone', Date.now())
  expect(await get(`/webhooks/${webhookId}`)).toMatchObject({ disabled_reason: 'gone' })
  const enabled = await post('/webhooks/enable-disabled')
  expect(enabled.body).toEqual({ count: 1, next_cursor: null })
  expect(await get(`/webhooks/${webhookId}`)).toMatchObject({ enabled: true })
  expect(await get(`/webhooks/${off}`)).toMatchObject({ enabled: false })
})

test('a webhook tells what its breaker does and why, and its ETag is that of its settings', async () => {
  const read = async () => await server.anna.request('GET', `/api/v1/webhooks/${webhookId}`)
  const before = await read()
  expect(Webhook.parse(before.body).breaker).toEqual({
    state: 'closed',
    reason: null,
    failures: 0,
    failing_since: null,
    next_probe_at: null,
  })
  await acceptCalls(5)
  const { leases } = await claim(server.store, Date.now())
  for (const lease of leases.filter((l) => l.webhook.id === webhookId)) {
    await failUntil(server.store, lease, Date.now(), Date.now())
  }
  const etag = before.headers.get('etag') ?? ''
  const path = `/api/v1/webhooks/${webhookId}`
  const after = await server.anna.request('GET', path, { headers: { 'if-none-match': etag } })
  expect(after.status).toBe(200)
  expect(after.headers.get('etag')).toBe(etag)
  expect(after.body.breaker).toMatchObject({
    state: 'open',
    failures: 5,
    reason: expect.stringContaining('The receiver answered 500.'),
    next_probe_at: expect.any(String),
  })
  const [held] = (await get(`/deliveries?webhook_id=${webhookId}&state=held`)).items
  expect(held).toMatchObject({ state: 'held', held_because: 'breaker_open', due_at: null })
  const headers = { 'if-match': etag }
  const renamed = await server.anna.request('PATCH', path, { body: { name: 'New' }, headers })
  expect(renamed.status).toBe(200)
})

test('the settings of order and rate are kept, and refused where they make no sense', async () => {
  const settings = { order: 'strict', on_exhausted: 'block', rate_limit: 50, concurrency: 1 }
  const changed = await server.anna.request('PATCH', `/api/v1/webhooks/${webhookId}`, {
    body: settings,
  })
  expect(changed.body).toMatchObject(settings)
  for (const body of [{ rate_limit: 0 }, { order: 'fifo' }, { on_exhausted: 'stop' }]) {
    const reply = await server.anna.request('PATCH', `/api/v1/webhooks/${webhookId}`, { body })
    expect(reply.body).toMatchObject({ code: 'invalid_input' })
  }
})

test('nothing of another account, and no cursor of other work', async () => {
  const [id] = await acceptCalls(1)
  const foreign = async (path: string, body?: object) =>
    (await server.bert.request('POST', `/api/v1${path}`, { body })).body.code
  expect(await foreign(`/deliveries/${id}/resend`)).toBe('not_found')
  expect(await foreign(`/deliveries/${id}/cancel`)).toBe('not_found')
  expect(await foreign(`/webhooks/${webhookId}/recover`, { since })).toBe('not_found')
  expect(await foreign(`/webhooks/${webhookId}/replay-missing`, { since })).toBe('not_found')
  expect(await foreign(`/webhooks/${webhookId}/cancel-waiting`)).toBe('not_found')
  const cursor = await post(`/webhooks/${webhookId}/cancel-waiting?cursor=bm9wZQ`)
  expect(cursor.body).toMatchObject({ status: 400, code: 'invalid_cursor' })
})
