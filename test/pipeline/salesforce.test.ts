/** The Salesforce connector from the store to a server that behaves as Salesforce does, and into the log. */
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { createTester } from '#server/pipeline/send-test.ts'
import {
  type SalesforceRecord,
  type SalesforceServer,
  salesforceApp,
  startSalesforce,
} from '#test/support/salesforce-server.ts'
import { sending, templates } from '#test/support/sending.ts'
import { oneWebhook } from './one-webhook.ts'

type EndedCall = EventOf<'call.ended'>

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = {
  public: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  private: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}
const byPassword = {
  type: 'client_credentials',
  client_id: salesforceApp.client_id,
  client_secret: salesforceApp.client_secret,
}

let salesforce: SalesforceServer
beforeEach(async () => {
  salesforce = await startSalesforce(pem.public)
})
afterEach(async () => await salesforce[Symbol.asyncDispose]())

const connected = async (connector: object = {}, more: object = {}) =>
  await oneWebhook({
    url: salesforce.url,
    retries: 0,
    connector: { type: 'salesforce', login: byPassword, ...connector },
    ...more,
  })

const ended = eventSamples['call.ended']
const annaId = '003000000000001AAA'
const person = (type: 'Contact' | 'Lead', Id: string, more: object = {}): SalesforceRecord => ({
  type,
  Id,
  OwnerId: '005000000000009AAA',
  LastModifiedDate: '2026-11-01T10:00:00.000+0000',
  ...more,
})
/** The call of the samples, from another number. */
const callFrom = (number: string | null, raw: string | null): EndedCall => ({
  ...ended,
  call: { ...ended.call, source: { ...ended.call.source, number, raw } },
})
const taskOf = ({ call }: EndedCall) => salesforce.tasks.get(call.uuid)

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

test('JWT bearer: signed by the key of the app, for My Domain', async () => {
  const { client_id, username } = salesforceApp
  const login = { type: 'jwt_bearer', client_id, username, private_key: pem.private }
  await using one = await connected({ login })
  expect(await one.deliver(ended)).toMatchObject({ ok: true })
  expect(salesforce.tasks.size).toBe(1)
})

describe('whose number it is', () => {
  test.each([
    '+61288881234',
    '61288881234',
    '0288881234',
    '(02) 8888 1234',
    '02-8888-1234',
    '+61 2 8888 1234',
    '02.88.88.12.34',
    '(02)88881234',
    '8888 1234',
  ])('finds %s', async (Phone) => {
    salesforce.people.push(
      person('Contact', annaId, { Phone }),
      person('Contact', '003000000000002AAA', { Phone: '+61388881235' }),
    )
    await using one = await connected()
    await one.deliver(ended)
    expect(taskOf(ended)).toMatchObject({ WhoId: annaId })
  })

  test.each(['+61388881234', '+6128888123', '+1 288881234', '18881234'])(
    'does not take %s for it',
    async (Phone) => {
      salesforce.people.push(person('Contact', annaId, { Phone }))
      await using one = await connected()
      await one.deliver(ended)
      expect(taskOf(ended)).not.toHaveProperty('WhoId')
    },
  )

  test('a Contact before a Lead, a Lead before nobody, never a converted Lead', async () => {
    const lead = person('Lead', '00Q000000000001AAA', { Phone: '0288881234' })
    salesforce.people.push(
      person('Lead', '00Q000000000002AAA', { Phone: '0288881234', IsConverted: true }),
      lead,
    )
    await using one = await connected()
    await one.deliver(ended)
    expect(taskOf(ended)).toMatchObject({ WhoId: lead.Id })
    salesforce.people.push(person('Contact', annaId, { MobilePhone: '02.88.88.12.34' }))
    await one.deliver({ ...ended, id: 'evt_again' })
    expect(taskOf(ended)).toMatchObject({ WhoId: annaId })
  })

  test('outbound it is the number that was called; internal calls and withheld numbers name nobody', async () => {
    salesforce.people.push(person('Contact', annaId, { Phone: '0491 570 156' }))
    await using one = await connected()
    const outbound: EndedCall = {
      ...ended,
      id: 'evt_out',
      call: {
        ...ended.call,
        uuid: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30099',
        direction: 'outbound',
        destination: { number: '+61491570156', raw: '0491570156', name: null },
      },
    }
    await one.deliver(outbound)
    expect(taskOf(outbound)).toMatchObject({
      WhoId: annaId,
      CallType: 'Outbound',
      Subject: 'Outbound call to +61491570156',
    })
    const withheld = { ...callFrom(null, null), id: 'evt_withheld' }
    await one.deliver(withheld)
    expect(taskOf(withheld)).not.toHaveProperty('WhoId')
    expect(taskOf(withheld)).toMatchObject({ Subject: 'Inbound call from a withheld number' })
  })

  test('a number that the PBX could not read is told by its digits', async () => {
    salesforce.people.push(person('Contact', annaId, { Phone: '(02) 8888-1234' }))
    await using one = await connected()
    const event = callFrom(null, '0288881234')
    await one.deliver(event)
    expect(taskOf(event)).toMatchObject({ WhoId: annaId })
  })

  describe('several', () => {
    const twins = [
      person('Contact', annaId, { Phone: '0288881234', OwnerId: '005000000000201AAA' }),
      person('Contact', '003000000000002AAA', {
        Phone: '0288881234',
        LastModifiedDate: '2026-11-20T10:00:00.000+0000',
      }),
    ]
    const owners = { '201': '005000000000201AAA' }

    test.each([
      ['none', undefined],
      ['most_recent', '003000000000002AAA'],
      ['owner', annaId],
    ])('%s', async (several, who) => {
      salesforce.people.push(...twins)
      await using one = await connected({ several, owners })
      await one.deliver(ended)
      expect(taskOf(ended)?.WhoId).toBe(who)
      if (who === undefined) {
        expect(taskOf(ended)?.Description).toContain(
          `The number belongs to 2 records: Contact ${annaId}, Contact 003000000000002AAA`,
        )
      }
    })

    test('owner: not guessed where none or more than one is', async () => {
      salesforce.people.push(...twins.map((one) => ({ ...one, OwnerId: owners['201'] })))
      await using one = await connected({ several: 'owner', owners })
      await one.deliver(ended)
      expect(taskOf(ended)).not.toHaveProperty('WhoId')
    })
  })
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

  test('the limit of requests is a failure that is tried again when Salesforce says', async () => {
    await using one = await connected({}, { retries: 3 })
    salesforce.limit = 1
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ ok: false, status_code: 429, error: 'status' })
    expect(attempt.error_detail).toMatch(/Search for the number: .*REQUEST_LIMIT_EXCEEDED/)
    expect(attempt.decision).toMatch(/in 2 min/)
  })

  test('an error of a field names it', async () => {
    salesforce.unknownFields.add('CallDisposition')
    await using one = await connected()
    const attempt = await one.deliver(ended)
    expect(attempt).toMatchObject({ ok: false, status_code: 200, error: 'refused' })
    expect(attempt.error_detail).toMatch(/INVALID_FIELD \(CallDisposition\): No such column/)
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
    expect(attempt.ok).toBe(false)
    expect(attempt.error_detail).toMatch(/^Access token: /)
    expect(attempt.error_detail).toMatch(said)
    expect(attempt.request_body).toBe('(credentials)')
    expect(JSON.stringify(attempt)).not.toContain(salesforceApp.client_secret)
  })

  test('what repeats the access token does not bring it into the log', async () => {
    salesforce.repeatsToken = true
    await using one = await connected()
    const attempt = await one.deliver(ended)
    expect(attempt.response_body).toContain('not by ***')
    expect(attempt.error_detail).toMatch(/INVALID_REQUEST: not by \*\*\*/)
    expect(JSON.stringify(attempt)).not.toContain('00D')
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
