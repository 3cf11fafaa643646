/** A new signing secret by the API: shown once, refused with the field, repeated without another one. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const given = `whsec_${Buffer.from('given by its administrator').toString('base64')}`

async function create(): Promise<{ readonly address: string; readonly secret: string }> {
  const body = { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'] }
  const created = await server.anna.request('POST', '/api/v1/webhooks', { body })
  expect(created.body.previous_secret_until).toBeNull()
  return { address: `/api/v1/webhooks/${created.body.id}`, secret: String(created.body.secret) }
}

test('the new secret is shown once, with the time until which the old one signs', async () => {
  const { address, secret } = await create()
  const before = await server.anna.request('GET', address)
  const rotated = await server.anna.request('POST', `${address}/rotate-secret`, { body: {} })
  expect(rotated).toMatchObject({
    status: 200,
    body: { secret: expect.stringMatching(/^whsec_/), previous_secret_until: expect.any(String) },
  })
  expect(rotated.body.secret).not.toBe(secret)
  const left = Date.parse(String(rotated.body.previous_secret_until)) - Date.now()
  expect(Math.abs(left - 86_400_000)).toBeLessThan(60_000)
  const shown = await server.anna.request('GET', address)
  expect(shown.body).not.toHaveProperty('secret')
  expect(shown.body.previous_secret_until).toBe(rotated.body.previous_secret_until)
  expect(shown.headers.get('etag')).not.toBe(before.headers.get('etag'))
  const now = await server.anna.request('POST', `${address}/rotate-secret`, {
    body: { overlap_seconds: 0, secret: given },
  })
  expect(now.body).toMatchObject({ secret: given, previous_secret_until: null })
})

test('without a body it is the same, whatever the content type says', async () => {
  const { address, secret } = await create()
  for (const headers of [{}, { 'content-type': 'application/json' }]) {
    const rotated = await server.anna.request('POST', `${address}/rotate-secret`, { headers })
    expect(rotated).toMatchObject({
      status: 200,
      body: { secret: expect.stringMatching(/^whsec_/) },
    })
    expect(rotated.body.secret).not.toBe(secret)
  }
  expect(await server.anna.request('PATCH', address)).toMatchObject({ status: 400 })
})

test('a repetition with the same Idempotency-Key rotates once', async () => {
  const { address } = await create()
  const options = { body: {}, headers: { 'idempotency-key': 'rotate-1' } }
  const first = await server.anna.request('POST', `${address}/rotate-secret`, options)
  const second = await server.anna.request('POST', `${address}/rotate-secret`, options)
  expect(second.body).toEqual(first.body)
})

test.each([
  [{ overlap_seconds: 30 * 86_400 + 1 }, 'overlap_seconds'],
  [{ overlap_seconds: -1 }, 'overlap_seconds'],
  [{ secret: 'hunter2' }, 'secret'],
  [{ overlap: 1 }, 'overlap'],
])('%j is refused', async (body, field) => {
  const { address } = await create()
  const refused = await server.anna.request('POST', `${address}/rotate-secret`, { body })
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ field }] } })
})

test('the current secret is no new one; another account has no such webhook', async () => {
  const { address, secret } = await create()
  expect(
    await server.anna.request('POST', `${address}/rotate-secret`, { body: { secret } }),
  ).toMatchObject({ status: 422, body: { errors: [{ field: 'secret' }] } })
  expect(await server.bert.request('POST', `${address}/rotate-secret`, { body: {} })).toMatchObject(
    { status: 404 },
  )
})
