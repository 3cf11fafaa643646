/** Access tokens by client credentials, from the store to a real token endpoint and a real receiver, and into the log. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { WebhookChange } from '#contracts/webhook/webhook.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { changeWebhook, getWebhook } from '#server/store/webhooks.ts'
import { acceptanceOf } from '#test/conformance/fixture.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { startTokenServer, type TokenAnswer, type TokenServer } from '#test/support/token-server.ts'
import { oneWebhook, signingSecret } from './one-webhook.ts'

const ended = eventSamples['call.ended']
const secret = 'cl1ent:s3cret with+signs'

let tokens: TokenServer
beforeEach(async () => {
  tokens = await startTokenServer()
})
afterEach(async () => await tokens[Symbol.asyncDispose]())

const connected = async (more: object = {}, settings: object = {}) =>
  await oneWebhook({
    retries: 0,
    authentication: {
      type: 'oauth2',
      token_url: tokens.url,
      client_id: 'off hook',
      client_secret: secret,
      ...more,
    },
    ...settings,
  })

test('the token is fetched once, by Basic with form encoding, and kept', async () => {
  await using one = await connected({ scope: 'calls.write', audience: 'https://crm.example' })
  const request = await one.send(ended)
  expect(request.headers.authorization).toBe('Bearer t0ken-number-1')
  expect(request.verified).toBe(true)
  const attempt = await one.lastAttempt()
  expect(attempt).toMatchObject({ ok: true, request_headers: { authorization: '***' } })
  expect(attempt.earlier_requests).toMatchObject([
    { purpose: 'Access token', method: 'POST', url: tokens.url, status_code: 200 },
  ])
  await one.send({ ...ended, id: 'evt_2' })
  expect(tokens.asked).toHaveLength(1)
  const [asked] = tokens.asked
  const basic = Buffer.from('off+hook:cl1ent%3As3cret+with%2Bsigns').toString('base64')
  expect(asked?.authorization).toBe(`Basic ${basic}`)
  expect(Object.fromEntries(asked?.form ?? [])).toEqual({
    grant_type: 'client_credentials',
    scope: 'calls.write',
    audience: 'https://crm.example',
  })
})

test('a webhook that goes elsewhere asks for another token, and the old one does not go there', async () => {
  await using one = await connected()
  expect((await one.send(ended)).headers.authorization).toBe('Bearer t0ken-number-1')
  await using other = await startReceiver({ secret: signingSecret })
  const { authentication } = one.webhook
  if (authentication.type !== 'oauth2') throw new Error('it has another authentication')
  const change = { url: other.url, authentication: { ...authentication, client_secret: secret } }
  await changeWebhook(
    one.store,
    one.tenant.account.id,
    one.webhook.id,
    WebhookChange.parse(change),
    Date.now(),
  )
  await one.deliver({ ...ended, id: 'evt_2' })
  expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer t0ken-number-2',
  ])
})

test('id and secret go in the form where that is set, and not in the header too', async () => {
  await using one = await connected({ client_authentication: 'body' })
  await one.send(ended)
  expect(tokens.asked[0]?.authorization).toBeNull()
  expect(Object.fromEntries(tokens.asked[0]?.form ?? [])).toEqual({
    grant_type: 'client_credentials',
    client_id: 'off hook',
    client_secret: secret,
  })
})

test('many that are due at once wait for one token', async () => {
  await using one = await connected({}, { concurrency: 8 })
  const events = Array.from({ length: 20 }, (_, i) => ({
    ...ended,
    id: `evt_${i}`,
    account: { ...ended.account, id: one.tenant.account.id },
    service: ended.service === null ? null : { ...ended.service, uuid: one.tenant.serviceUuid },
  })) as (typeof ended)[]
  await acceptEvents(one.store, acceptanceOf(one.tenant, events, { now: Date.now() }))
  const requests = await one.receiver.waitFor((all) => all.length === 20, 'all of them')
  expect(new Set(requests.map(({ headers }) => headers.authorization))).toEqual(
    new Set(['Bearer t0ken-number-1']),
  )
  expect(tokens.asked).toHaveLength(1)
})

describe('a token that is refused', () => {
  test('is replaced once, within the attempt', async () => {
    await using one = await connected()
    await one.send(ended)
    one.receiver.respond(({ headers }) => ({
      status: headers.authorization === 'Bearer t0ken-number-1' ? 401 : 200,
    }))
    const attempt = await one.deliver({ ...ended, id: 'evt_later' })
    expect(attempt).toMatchObject({ ok: true, number: 1, status_code: 200 })
    expect(attempt.earlier_requests.map((r) => [r.purpose, r.status_code])).toEqual([
      ['Request', 401],
      ['Access token', 200],
    ])
    expect(one.receiver.requests.at(-1)).toMatchObject({
      verified: true,
      headers: { authorization: 'Bearer t0ken-number-2' },
    })
  })

  test('and the new one too: the receiver does not want us, no third is fetched', async () => {
    await using one = await connected()
    one.receiver.respond(() => ({ status: 401 }))
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ ok: false, status_code: 401, error: 'status' })
    expect(attempt.error_detail).toMatch(/A new access token was refused as well\.$/)
    expect(tokens.asked).toHaveLength(2)
    expect(one.receiver.requests).toHaveLength(2)
  })

  test('and there is no new one: the sentence says both', async () => {
    await using one = await connected()
    await one.send(ended)
    one.receiver.respond(() => ({ status: 401 }))
    tokens.answer = () => ({ status: 400, body: '{"error":"invalid_client"}' })
    const attempt = await one.deliver({ ...ended, id: 'evt_later' })
    expect(attempt).toMatchObject({ ok: false, error: 'token', status_code: 400 })
    expect(attempt.error_detail).toMatch(/^Access token: .*invalid_client/)
    expect(attempt.earlier_requests).toMatchObject([{ purpose: 'Request', status_code: 401 }])
  })
})

const bad: readonly (readonly [string, TokenAnswer, RegExp])[] = [
  ['HTML', { body: '<html>' }, /no JSON object/],
  ['no access_token', { body: '{"token_type":"Bearer"}' }, /no access_token/],
  [
    'another type',
    { body: '{"access_token":"leaked-token","token_type":"mac"}' },
    /token_type is not Bearer/,
  ],
  [
    'a token that ends the header',
    { body: JSON.stringify({ access_token: 'leaked-token\r\nx: 1' }) },
    /none that a header can carry/,
  ],
  ['300 KB', { body: JSON.stringify({ access_token: 'a'.repeat(300_000) }) }, /too long/],
  ['500', { status: 500, body: 'leaked-token' }, /answered 500/],
  [
    'a refusal that repeats the secret',
    { status: 401, body: JSON.stringify({ error: 'invalid_client', error_description: secret }) },
    /401 \(Unauthorized\)\. It says: invalid_client: \*\*\*$/,
  ],
  ['a redirect', { status: 302, headers: { location: '/login' }, body: '' }, /redirects/],
]

test.each(bad)(
  'a token endpoint that answers %s is a failure that says so',
  async (_, answer, says) => {
    tokens.answer = () => answer
    await using one = await connected()
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({
      ok: false,
      error: 'token',
      url: tokens.url,
      request_body: '(credentials)',
      response_body: null,
    })
    expect(attempt.error_detail).toMatch(/^Access token: /)
    expect(attempt.error_detail).toMatch(says)
    expect(JSON.stringify(attempt)).not.toMatch(/s3cret|leaked-token/)
    expect(one.receiver.requests).toHaveLength(0)
  },
)

test('one that never answers ends with the time of the attempt', async () => {
  tokens.answer = () => null
  await using one = await connected({}, { timeout_seconds: 1 })
  const attempt = await one.deliver(ended)
  expect(attempt).toMatchObject({ ok: false, error: 'token', status_code: null })
  expect(attempt.error_detail).toMatch(/^Access token: No answer came within (1|0\.9\d+) s/)
  expect(attempt.duration_ms).toBeLessThan(5_000)
})

test('one that is not there is asked once for all that wait', async () => {
  const token_url = `http://127.0.0.1:${await freeTcpPort()}/token`
  await using one = await connected({ token_url })
  expect(await one.deliver(ended)).toMatchObject({ ok: false, error: 'token' })
  tokens.answer = () => ({ status: 503, body: '' })
  await using other = await connected()
  await other.deliver(ended)
  const second = await other.deliver({ ...ended, id: 'evt_next' })
  expect(second.error_detail).toMatch(/^Access token: .*503/)
  expect(tokens.asked).toHaveLength(1)
})

test('429 is tried again when the token endpoint says', async () => {
  tokens.answer = () => ({ status: 429, headers: { 'retry-after': '120' }, body: '' })
  await using one = await connected({}, { retries: 3 })
  const attempt = await one.deliver(ended)
  expect(attempt).toMatchObject({ error: 'token', status_code: 429 })
  expect(attempt.decision).toMatch(/in 2 min/)
})

test('410 of a token endpoint does not disable the webhook', async () => {
  tokens.answer = () => ({ status: 410, body: '' })
  await using one = await connected({}, { retries: 3 })
  await one.deliver(ended)
  const webhook = await getWebhook(one.store, one.tenant.account.id, one.webhook.id)
  expect(webhook).toMatchObject({ enabled: true, disabled_reason: null })
})

test('an address that is not allowed is not asked', async () => {
  await using one = await connected({ token_url: 'http://10.0.0.1/token' })
  const attempt = await one.deliver(ended)
  expect(attempt).toMatchObject({ ok: false, error: 'token', remote_address: null })
  expect(attempt.error_detail).toMatch(/10\.0\.0\.1/)
})

test('a receiver that repeats the token does not bring it into the log', async () => {
  await using one = await connected()
  one.receiver.respond(({ headers }) => ({
    status: 400,
    headers: { 'x-got': String(headers.authorization) },
    body: JSON.stringify({ got: headers.authorization }),
  }))
  const attempt = await one.deliver(ended)
  expect(attempt).toMatchObject({
    response_body: '{"got":"***"}',
    response_headers: { 'x-got': '***' },
  })
  expect(JSON.stringify(attempt)).not.toContain('t0ken-number')
})
