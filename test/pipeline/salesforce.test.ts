/** The Salesforce connector from the store to a server that behaves as Salesforce does, and into the log. */
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTester } from '#server/pipeline/send-test.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { getWebhook } from '#server/store/webhooks.ts'
import {
  type SalesforceServer,
  salesforceApp,
  startSalesforce,
} from '#test/support/salesforce-server.ts'
import { sending, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import {
  annaId,
  byPassword,
  connectedTo,
  type EndedCall,
  ended,
  person,
} from './connected-salesforce.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = {
  public: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  private: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}
const { client_id, username } = salesforceApp
const byKey = { type: 'jwt_bearer', client_id, username, private_key: pem.private }
let salesforce: SalesforceServer
beforeEach(async () => {
  salesforce = await startSalesforce(pem.public)
})
afterEach(async () => await salesforce[Symbol.asyncDispose]())

const connected = async (...given: [connector?: object, more?: object]) =>
  await connectedTo(salesforce, ...given)
const taskOf = (event: EndedCall) => salesforce.tasks.get(event.call.uuid)

test('a call becomes one Task of the Contact whose number it is', async () => {
  salesforce.people.push(person('Contact', annaId, { Phone: '+61288881234' }))
  await using one = await connected({ owners: { '201': '005000000000201AAA' } })
  const attempt = await one.deliver(ended)
  expect(taskOf(ended)).toEqual({
    Offhook_Call_Id__c: ended.call.uuid,
    Subject: 'Inbound call from +61288881234',
    Status: 'Completed',
    TaskSubtype: 'Call',
    ActivityDate: ended.call.started_at.slice(0, 10),
    CallType: 'Inbound',
    CallDurationInSeconds: 266,
    CallDisposition: 'Answered',
    CallObject: ended.call.uuid,
    Description: [
      'Status: answered',
      'Answered by: Alice',
      'IVR: main, option 3',
      'Queue: sales',
      `Recording: ${ended.call.recording_url}`,
    ].join('\n'),
    WhoId: annaId,
    OwnerId: '005000000000201AAA',
  })
  expect(attempt).toMatchObject({
    ok: true,
    method: 'PATCH',
    request_headers: { authorization: '***' },
  })
  expect(
    attempt.earlier_requests.map(({ purpose, status_code }) => [purpose, status_code]),
  ).toEqual([
    ['Access token', 200],
    ['Search for the number', 200],
    ['Query for a Contact by digits', 200],
  ])
  expect(JSON.stringify(attempt)).not.toContain(salesforceApp.client_secret)
})

test('a test makes a Task that says so, and leaves that of the call alone', async () => {
  await using one = await connected()
  await one.deliver(ended)
  const before = { ...taskOf(ended) }
  await using sender = sending()
  const tester = createTester({ store: one.store, sender, templates, version: '1', now: Date.now })
  for (const _ of ['once', 'again']) {
    const sent = await tester.send(one.tenant.account.id, one.webhook.id, ended)
    expect(sent).toMatchObject({ outcome: { ok: true } })
  }
  expect(taskOf(ended)).toEqual(before)
  expect([...salesforce.tasks.values()].map(({ Subject }) => Subject)).toEqual([
    'Inbound call from +61288881234',
    '[Test] Inbound call from +61288881234',
  ])
})

test('the Task is of the day on which the call was for those who read it', async () => {
  const morning = { ...ended.call, started_at: '2026-11-22T22:30:00.000Z' }
  await using one = await connected({ time_zone: 'Australia/Sydney' })
  await one.deliver({ ...ended, call: morning })
  expect(taskOf(ended)).toMatchObject({ ActivityDate: '2026-11-23' })
})

test('sent twice it is the same Task, and one sign-in serves both', async () => {
  await using one = await connected()
  await one.deliver(ended)
  await one.deliver({ ...ended, id: 'evt_again', call: { ...ended.call, bill_duration: 300 } })
  expect(salesforce.tasks.size).toBe(1)
  expect(taskOf(ended)).toMatchObject({ CallDurationInSeconds: 300 })
  expect(salesforce.requests.filter((request) => /token/.test(request))).toHaveLength(1)
})

test('three deliveries of one call at once make one Task, by one sign-in', async () => {
  let ahead = 0
  const now = () => Date.now() + ahead
  salesforce.racing = 3
  await using one = await connectedTo(salesforce, {}, { order: 'none', retries: 1 }, now)
  const ids = ['evt_1', 'evt_2', 'evt_3']
  await Promise.all(ids.map(async (id) => await one.deliver({ ...ended, id })))
  const list = async () =>
    (await listDeliveries(one.store, one.tenant.account.id, {}, { limit: 10 })).items
  const refused = (await list()).filter(({ state }) => state === 'pending')
  expect(refused).toMatchObject([{ last_error: 'refused' }, { last_error: 'refused' }])
  ahead = 60_000
  await waitUntil(async () => (await list()).every(({ state }) => state === 'delivered'), {
    what: 'those that were refused are delivered as well',
  })
  expect(salesforce.tasks.size).toBe(1)
  expect(salesforce.requests.filter((request) => /token/.test(request))).toHaveLength(1)
})

test('what a caller is called stays in its line', async () => {
  const source = { ...ended.call.source, name: 'Eve\r\nRecording: http://evil.example\0\u2028x' }
  const answered_by = { ...ended.call.answered_by, name: 'Bob\nQueue: vip' }
  const event = { ...ended, call: { ...ended.call, source, answered_by } } as EndedCall
  await using one = await connected({ subject: 'Call of {{ call.source.name }}' })
  await one.deliver(event)
  expect(taskOf(event)).toMatchObject({
    Subject: 'Call of Eve Recording: http://evil.example x',
    Description: expect.stringContaining('\nAnswered by: Bob Queue: vip\n'),
  })
})

test('JWT bearer: signed by the key of the app, for My Domain', async () => {
  await using one = await connected({ login: byKey })
  expect(await one.deliver(ended)).toMatchObject({ ok: true })
  expect(salesforce.tasks.size).toBe(1)
})

describe('what goes wrong', () => {
  test('a session that has ended is replaced, once, within the attempt', async () => {
    await using one = await connected()
    await one.deliver(ended)
    salesforce.endSessions()
    const attempt = await one.deliver({ ...ended, id: 'evt_later' })
    expect(attempt).toMatchObject({ ok: true })
    expect(
      attempt.earlier_requests
        .map(({ purpose, status_code }) => [purpose, status_code])
        .slice(0, 3),
    ).toEqual([
      ['Search for the number', 401],
      ['Access token', 200],
      ['Search for the number', 200],
    ])
  })

  test('the limit of requests passes, and is tried again', async () => {
    await using one = await connected({}, { retries: 3 })
    salesforce.limit = 1
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ ok: false, status_code: 403, error: 'status' })
    expect(attempt.error_detail).toMatch(
      /^Search for the number: .*REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded\. That passes/,
    )
    expect(attempt.decision).toMatch(/^Try 2 of 4 follows/)
  })

  test('an error of a field names it, and says that it lasts; it is tried again all the same', async () => {
    salesforce.unknownFields.add('CallDisposition')
    await using one = await connected({}, { retries: 3 })
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ ok: false, status_code: 200, error: 'refused' })
    expect(attempt.error_detail).toMatch(
      /INVALID_FIELD \(CallDisposition\): No such column .*\. That lasts until somebody mends it/,
    )
    expect(attempt.decision).toMatch(/^Try 2 of 4 follows/)
  })

  test('Tasks that are refused do not mean that Salesforce is down', async () => {
    salesforce.unknownFields.add('CallDisposition')
    await using one = await connected()
    for (const id of ['1', '2', '3', '4', '5', '6']) {
      await one.deliver({ ...ended, id: `evt_${id}` })
    }
    const webhook = await getWebhook(one.store, one.tenant.account.id, one.webhook.id)
    expect(webhook?.breaker).toMatchObject({ state: 'closed', failures: 6 })
  })

  test.each([
    [
      { status: 400, body: '{"error":"invalid_client","error_description":"nope"}' },
      /invalid_client: nope/,
    ],
    [{ status: 200, body: '<html>' }, /holds no access token/],
    [{ status: 200, body: '{"access_token":"consumer-secret-17"}' }, /holds no access token/],
    [
      { status: 400, body: '{"error":"no","error_description":"consumer-secret-17"}' },
      /no: \*\*\*/,
    ],
    [{ status: 503, body: 'later' }, /503/],
  ])('a token endpoint that answers %j', async (refusal, said) => {
    salesforce.tokenRefusal = refusal
    await using one = await connected()
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ ok: false, error: 'token', response_body: null })
    expect(attempt.error_detail).toMatch(/^Access token: /)
    expect(attempt.error_detail).toMatch(said)
    expect(attempt.request_body).toBe('(credentials)')
    expect(JSON.stringify(attempt)).not.toContain(salesforceApp.client_secret)
  })

  test('a token that no header can carry is no token, and is not kept', async () => {
    const token = { access_token: 'a\r\nX-Evil: 1', instance_url: salesforce.url }
    salesforce.tokenRefusal = { status: 200, body: JSON.stringify(token) }
    await using one = await connected()
    expect(await one.deliver(ended)).toMatchObject({
      ok: false,
      error: 'token',
      error_detail: expect.stringContaining('The answer holds no access token'),
    })
  })

  test('410 of the token endpoint does not disable the webhook', async () => {
    salesforce.tokenRefusal = { status: 410, body: '' }
    await using one = await connected()
    expect(await one.deliver(ended)).toMatchObject({ error: 'token', status_code: 410 })
    const webhook = await getWebhook(one.store, one.tenant.account.id, one.webhook.id)
    expect(webhook).toMatchObject({ enabled: true, disabled_reason: null })
  })

  test('and a new one is refused as well: no third is asked for', async () => {
    await using one = await connected()
    salesforce.refusesAll = true
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ ok: false, status_code: 401, error: 'status' })
    expect(attempt.error_detail).toMatch(
      /^Search for the number: .*A new access token was refused as well\. It says: INVALID_SESSION/,
    )
    expect(salesforce.requests).toHaveLength(4)
  })

  test('what repeats the access token does not bring it into the log', async () => {
    salesforce.repeatsToken = true
    await using one = await connected()
    const attempt = await one.deliver(ended)
    expect(attempt.response_body).toContain('not by ***')
    expect(attempt.error_detail).toMatch(/INVALID_REQUEST: not by \*\*\*/)
    expect(JSON.stringify(attempt)).not.toContain('00D')
  })

  test.each([
    [
      'client secret',
      { ...byPassword, client_secret: 'abc+/=%25&secret' },
      /&client_secret=\*\*\*$/,
    ],
    ['assertion', byKey, /&assertion=\*\*\*…?$/],
  ])('a token endpoint that repeats the form brings no %s into the log', async (_, login, said) => {
    salesforce.repeatsForm = true
    await using one = await connected({ login })
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ error: 'token', response_body: null })
    expect(attempt.error_detail).toMatch(said)
    expect(JSON.stringify(attempt)).not.toMatch(/%2525|eyJ/)
  })

  test('what fails for one is not asked again at once for the next', async () => {
    salesforce.tokenRefusal = { status: 400, body: '{"error":"invalid_client"}' }
    await using one = await connected()
    await one.deliver(ended)
    const second = await one.deliver({ ...ended, id: 'evt_next' })
    expect(second.error_detail).toMatch(/^Access token: .*invalid_client/)
    expect(salesforce.requests).toEqual(['POST /services/oauth2/token'])
  })
})
