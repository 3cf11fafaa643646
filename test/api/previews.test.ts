/** What a webhook would send, and what it sends as a test. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
let service: string
beforeAll(async () => {
  server = await startApi()
  const made = await server.anna.request('POST', '/api/v1/services', {
    body: {
      name: 'pbx1',
      friendly_name: 'Head office',
      applications_enabled: true,
      connection: { kind: 'asterisk_managed' },
    },
  })
  service = made.body.uuid
})
afterAll(async () => await server[Symbol.asyncDispose]())

const draft = { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'] }

const preview = async (body: object) =>
  await server.anna.request('POST', '/api/v1/webhooks/preview', { body })

async function create(more: object = {}) {
  const { body } = await server.anna.request('POST', '/api/v1/webhooks', {
    body: { ...draft, ...more },
  })
  return body
}

/** A past event of Anna's. */
async function pastEvent() {
  const sample = eventSamples['call.ended']
  const event = { ...sample, id: `evt_past${Date.now()}`, account: server.anna.account }
  await acceptEvents(server.store, {
    accountId: server.anna.account.id,
    serviceUuid: null,
    events: [{ ...event, service: { ...event.service, uuid: service } }],
    openCalls: null,
    cursor: null,
    now: Date.now(),
  })
  return event.id
}

describe('preview', () => {
  test.each(eventTypes)('%s: the request that a draft would give of a sample', async (trigger) => {
    const webhook = { ...draft, triggers: [trigger], service_uuid: service }
    const { status, body } = await preview({ trigger, webhook })
    expect(status).toBe(200)
    expect(body).toMatchObject({ fires: true, why_not: null, problems: [], hints: [] })
    expect(body.request).toMatchObject({
      method: 'POST',
      url: draft.url,
      headers: { 'content-type': 'application/json', 'webhook-id': body.event.id },
    })
    const sent = JSON.parse(body.request.body)
    expect(sent).toEqual(body.event)
    expect(sent).toMatchObject({
      type: trigger,
      account: { id: server.anna.account.id },
      service: { uuid: service, name: 'pbx1' },
    })
    expect(Math.abs(Date.parse(sent.occurred_at) - Date.now())).toBeLessThan(60_000)
  })

  test('secrets are masked, also those that are stored', async () => {
    const settings = {
      authentication: { type: 'basic', username: 'u', password: 'pass-w0rd' },
      headers: [{ name: 'X-Key', value: 'k3y-value', secret: true }],
    }
    const made = await create(settings)
    const basic = Buffer.from('u:pass-w0rd').toString('base64')
    for (const reply of [
      await preview({ trigger: 'call.ended', webhook: { ...draft, ...settings } }),
      await preview({ trigger: 'call.ended', webhook_id: made.id, webhook: { retries: 1 } }),
    ]) {
      expect(reply.body.request.headers).toMatchObject({
        authorization: '********',
        'x-key': '********',
        'webhook-signature': 'v1,********',
      })
      expect(JSON.stringify(reply.body)).not.toMatch(/pass-w0rd|k3y-value/)
      expect(JSON.stringify(reply.body)).not.toContain(basic)
    }
  })

  test('a change of a webhook is shown with the rest of its settings', async () => {
    const made = await create({ path_arguments: ['v1'] })
    const { body } = await preview({
      trigger: 'call.ended',
      webhook_id: made.id,
      webhook: { method: 'PUT' },
    })
    expect(body.request).toMatchObject({ method: 'PUT', url: `${draft.url}/v1` })
    const stored = await server.anna.request('GET', `/api/v1/webhooks/${made.id}`)
    expect(stored.body.method).toBe('POST')
  })

  test('a past event is shown as it is', async () => {
    const id = await pastEvent()
    const { body } = await preview({ event_id: id, webhook: draft })
    expect(body.event.id).toBe(id)
    expect(JSON.parse(body.request.body)).toEqual(body.event)
  })

  test('tells every problem of the settings at once, and no request', async () => {
    const webhook = {
      ...draft,
      url: 'ftp://x',
      triggers: ['call.endet'],
      retries: 'many',
      headers: [{ name: 'Host', value: 'x' }],
    }
    const { status, body } = await preview({ trigger: 'call.ended', webhook })
    expect(status).toBe(200)
    expect(body).toMatchObject({ request: null, fires: null })
    expect(body.problems.map(({ field }: { field: string }) => field).sort()).toEqual([
      'headers[0].name',
      'retries',
      'triggers[0]',
      'url',
    ])
  })

  test('tells what only the server knows, also beside fields that are wrong', async () => {
    const others = await server.bert.request('POST', '/api/v1/services', {
      body: { name: 'pbx1', friendly_name: 'B', connection: { kind: 'asterisk_managed' } },
    })
    const url = 'https://crm.internal.example/'
    const wrong = {
      ...draft,
      url,
      service_uuid: others.body.uuid,
      connector: {
        type: 'salesforce',
        login: { type: 'jwt_bearer', client_id: 'c', username: 'u@x.example', private_key: 'key' },
      },
    }
    const expected = ['connector.login.private_key', 'service_uuid', 'url']
    const fields = (errors: { field: string }[]) => errors.map(({ field }) => field).sort()
    const shown = await preview({ trigger: 'call.ended', webhook: wrong })
    expect(fields(shown.body.problems)).toEqual(expected)
    const refused = await server.anna.request('POST', '/api/v1/webhooks', { body: wrong })
    expect(fields(refused.body.errors)).toEqual(expected)
    const more = await preview({ trigger: 'call.ended', webhook: { ...wrong, retries: -1 } })
    expect(fields(more.body.problems)).toEqual([...expected, 'retries'].sort())
    const odd = await preview({ trigger: 'call.ended', webhook: { url: 1, constructor: 1 } })
    expect(fields(odd.body.problems)).toEqual(['constructor', 'name', 'triggers', 'url'])
  })

  test('Salesforce gets ended calls only, whatever is asked for', async () => {
    const login = { type: 'client_credentials', client_id: 'c', client_secret: 's3cret' }
    const connector = { type: 'salesforce', login }
    const url = 'https://acme.my.salesforce.com'
    const made = await create({ url, connector })
    for (const trigger of eventTypes.filter((type) => type !== 'call.ended')) {
      const { body } = await preview({ trigger, webhook: { ...draft, url, connector } })
      const message = `Salesforce gets a Task of call.ended only, not of ${trigger}.`
      expect(body).toMatchObject({ request: null, problems: [{ message }], fires: false })
      const address = `/api/v1/webhooks/${made.id}/test`
      const tested = await server.anna.request('POST', address, { body: { trigger } })
      expect(tested).toMatchObject({ status: 200, body: { ok: false, error_detail: message } })
    }
  })

  test('tells of masks that stand for no secret, as the change itself does', async () => {
    const token = { type: 'token', token: '********' }
    const made = await create({ authentication: { type: 'token', token: 't0ken' } })
    const elsewhere = { url: 'https://other.example/', authentication: token }
    const change = { trigger: 'call.ended', webhook_id: made.id }
    const refused = await server.anna.request('PATCH', `/api/v1/webhooks/${made.id}`, {
      body: elsewhere,
    })
    const shown = await preview({ ...change, webhook: elsewhere })
    expect(shown.body.problems).toEqual(refused.body.errors)
    expect(shown.body.problems).toMatchObject([{ field: 'authentication.token' }])
    const same = await preview({ ...change, webhook: { ...made, ...{ retries: 1 } } })
    expect(same.status).toBe(200)
    const kept = await preview({ ...change, webhook: { authentication: token } })
    expect(kept.body.problems).toEqual([])
    const asDraft = await preview({
      trigger: 'call.ended',
      webhook: { ...draft, authentication: token },
    })
    expect(asDraft.body.problems).toMatchObject([{ field: 'authentication.token' }])
  })

  test('tells what would not be sent to, would not fire, and would be empty', async () => {
    const webhook = {
      ...draft,
      url: 'https://crm.internal.example/hook',
      triggers: ['call.ended', 'call.inbound.received'],
      path_arguments: ['{{ ivr.name }}', '{{ call.status }}'],
      payload: { style: 'mapped', fields: [{ key: 'status', field: 'call.status' }] },
    }
    const { body } = await preview({ trigger: 'call.inbound.received', webhook })
    expect(body.problems).toMatchObject([{ field: 'url', code: 'address_forbidden' }])
    expect(body.hints.map(({ field }: { field: string }) => field)).toEqual([
      'path_arguments[1]',
      'payload.fields[0].field',
    ])
    expect(JSON.parse(body.request.body)).toEqual({ status: null })
    const other = await preview({ trigger: 'call.missed', webhook: draft })
    expect(other.body).toMatchObject({ fires: false, why_not: expect.stringMatching(/trigger/) })
  })

  test('of a Webhook object: its own sample fires it, what passes another object does not', async () => {
    const put = await server.anna.request('PUT', `/api/v1/services/${service}/pbx`, {
      body: {
        name: 'pbx',
        components: [
          { name: 'own', webhook: { url: draft.url }, next: { type: 'hangup' } },
          { name: 'other', next: { type: 'hangup' } },
        ],
      },
    })
    expect(put.status).toBe(200)
    const list = await server.anna.request('GET', '/api/v1/webhooks?scope=call_flow')
    const { id } = list.body.items[0]
    const trigger = 'webhook_component_event'
    const { body } = await preview({ trigger, webhook_id: id })
    expect(body).toMatchObject({ event: { component: { name: 'own' } }, fires: true })
    const sample = eventSamples[trigger]
    const { account } = server.anna
    await acceptEvents(server.store, {
      accountId: account.id,
      serviceUuid: service,
      events: [
        {
          ...{ ...sample, id: 'evt_otherobject', account },
          service: { ...sample.service, uuid: service },
          component: { ...sample.component, name: 'other' },
        },
      ],
      openCalls: null,
      cursor: null,
      now: Date.now(),
    })
    const passed = await preview({ event_id: 'evt_otherobject', webhook_id: id })
    expect(passed.body).toMatchObject({ fires: false, why_not: expect.stringMatching(/another/) })
  })

  test('names PBXs whose Applications switch is off to whoever listens to all of them', async () => {
    const bert = async (path: string, body: object) =>
      await server.bert.request('POST', `/api/v1${path}`, { body })
    for (const name of ['hq4', 'hq1', 'hq3', 'hq5', 'hq2']) {
      const applications_enabled = name === 'hq1'
      const connection = { kind: 'asterisk_managed' }
      await bert('/services', { name, friendly_name: name, applications_enabled, connection })
    }
    const hints = async (webhook: object) =>
      (await bert('/webhooks/preview', { trigger: 'call.ended', webhook })).body.hints
    expect(await hints(draft)).toEqual([
      {
        field: 'triggers',
        message:
          'what happens on hq2, hq3, hq4, 2 more does not fire it: the Applications switch is off there',
      },
    ])
    expect(await hints({ ...draft, triggers: ['user.created', 'webhook.disabled'] })).toEqual([])
  })

  test('a part of a call has other names than the whole: the hint tells them', async () => {
    const fields = [
      { key: 'a', field: 'call_duration' },
      { key: 'b', field: 'conversation_duration' },
      { key: 'c', field: 'part.duration' },
      { key: 'd', field: 'hangup_cause' },
    ]
    const trigger = 'user.inbound.completed'
    const { body } = await preview({
      trigger,
      webhook: { ...draft, triggers: [trigger], payload: { style: 'mapped', fields } },
    })
    expect(body.hints.map(({ message }: { message: string }) => message)).toEqual([
      `${trigger} never has call.duration (that of the user is part.duration): it is null, empty in QUERY`,
      `${trigger} never has call.bill_duration (that of the user is part.talk_duration): it is null, empty in QUERY`,
      `${trigger} never has call.hangup.cause: it is null, empty in QUERY`,
    ])
  })

  test('says that the Phone Cloud format has no such event', async () => {
    const webhook = {
      ...draft,
      triggers: ['user.inbound.ringing'],
      payload: { style: 'phone-cloud' },
    }
    const { body } = await preview({ trigger: 'call.ended', webhook })
    expect(body.hints).toEqual([
      { field: 'payload', message: 'the Phone Cloud format has no event for call.ended' },
    ])
  })

  test('warns of secrets that whoever is on the way can read', async () => {
    const webhook = {
      ...draft,
      url: 'http://crm.example/hook',
      authentication: {
        type: 'oauth2',
        token_url: 'http://crm.example/token',
        client_id: 'offhook',
        client_secret: 'cl1ent',
      },
      headers: [
        { name: 'X-Open', value: '1' },
        { name: 'X-Key', value: 'k3y', secret: true },
      ],
    }
    const { body } = await preview({ trigger: 'call.ended', webhook })
    expect(body.hints.map(({ field }: { field: string }) => field)).toEqual([
      'authentication.client_secret',
      'authentication',
      'headers[1]',
    ])
  })

  test('tells what is wrong with a template, as it is written and as it comes out', async () => {
    const ask = async (template: string) => {
      const webhook = { ...draft, payload: { style: 'template', template } }
      return (await preview({ trigger: 'call.ended', webhook })).body
    }
    expect(await ask('{"a": {{ call.duration }}}')).toMatchObject({
      request: { body: expect.stringMatching(/^\{"a": \d+\}$/) },
      problems: [],
    })
    expect(await ask('{"a": {{ call.duratoin | json }}}')).toMatchObject({
      request: { body: '{"a": null}' },
      hints: [
        {
          field: 'payload.template',
          message: expect.stringContaining('did you mean "call.duration"?'),
        },
      ],
    })
    expect(await ask('{% fro %}')).toMatchObject({
      request: null,
      problems: [{ field: 'payload.template', message: expect.stringMatching(/^line 1/) }],
    })
    expect(await ask('{"a": }')).toMatchObject({
      request: null,
      problems: [{ field: 'payload', message: expect.stringMatching(/is not JSON/) }],
    })
  })

  test.each([
    [{ webhook: draft }],
    [{ webhook: draft, trigger: 'call.ended', event_id: 'evt_1' }],
    [{ webhook: draft, trigger: 'call.endet' }],
  ])('refuses %j', async (body) => {
    expect(await preview(body)).toMatchObject({ status: 422, body: { code: 'invalid_input' } })
  })

  test('events and webhooks of others do not exist', async () => {
    const id = await pastEvent()
    const made = await create()
    const ask = async (body: object) =>
      await server.bert.request('POST', '/api/v1/webhooks/preview', { body })
    expect((await ask({ event_id: id, webhook: draft })).status).toBe(404)
    expect((await ask({ trigger: 'call.ended', webhook_id: made.id })).status).toBe(404)
    const test = `/api/v1/webhooks/${made.id}/test`
    const tested = await server.bert.request('POST', test, { body: { trigger: 'call.ended' } })
    expect(tested.status).toBe(404)
  })
})

describe('test', () => {
  test('sends the sample, marked, and answers with the attempt', async () => {
    await using receiver = await startReceiver({
      respond: () => ({ status: 202, body: 'thanks', headers: { 'set-cookie': 'a=s3cret' } }),
    })
    const made = await create({
      url: receiver.url,
      enabled: false,
      service_uuid: service,
      authentication: { type: 'pbx_token', token: 't0k-en' },
      payload: { style: 'mapped', fields: [{ key: 'id', field: 'uniqueid' }] },
    })
    const { status, body } = await server.anna.request('POST', `/api/v1/webhooks/${made.id}/test`, {
      body: { trigger: 'call.ended' },
    })
    expect(status).toBe(200)
    const [request] = receiver.requests
    expect(request?.headers).toMatchObject({
      'webhook-test': 'true',
      'webhook-id': body.event_id,
      'x-pbx-token': 't0k-en',
    })
    expect(body).toMatchObject({
      ok: true,
      status_code: 202,
      error: null,
      response_body: 'thanks',
      request_body: request?.body.toString(),
      request_headers: { 'x-pbx-token': '***' },
      response_headers: { 'set-cookie': '***' },
    })
    const deliveries = await server.anna.request('GET', `/api/v1/deliveries?webhook_id=${made.id}`)
    expect(deliveries.body.items).toEqual([])
  })

  test('a past event goes with its own id', async () => {
    await using receiver = await startReceiver()
    const id = await pastEvent()
    const made = await create({ url: receiver.url })
    const { body } = await server.anna.request('POST', `/api/v1/webhooks/${made.id}/test`, {
      body: { event_id: id },
    })
    expect(body).toMatchObject({ ok: true, event_id: id })
    expect(receiver.requests[0]?.event).toMatchObject({ id })
  })

  test('a receiver that fails is an answer, not an error of ours', async () => {
    await using receiver = await startReceiver({ respond: () => ({ status: 500 }) })
    const made = await create({ url: receiver.url })
    const test = async () =>
      await server.anna.request('POST', `/api/v1/webhooks/${made.id}/test`, {
        body: { trigger: 'call.ended' },
      })
    expect(await test()).toMatchObject({ status: 200, body: { ok: false, status_code: 500 } })
    await receiver.stop()
    expect(await test()).toMatchObject({ status: 200, body: { error: 'connect_refused' } })
    const webhook = await server.anna.request('GET', `/api/v1/webhooks/${made.id}`)
    expect(webhook.body.breaker).toMatchObject({ state: 'closed', failures: 0 })
  })

  test('four at a time', async () => {
    await using receiver = await startReceiver()
    receiver.setMode('stall')
    const made = await create({ url: receiver.url, timeout_seconds: 2 })
    const replies = await Promise.all(
      Array.from({ length: 6 }, () =>
        server.anna.request('POST', `/api/v1/webhooks/${made.id}/test`, {
          body: { trigger: 'call.ended' },
        }),
      ),
    )
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 429, 429])
    expect(replies.find(({ status }) => status === 200)?.body).toMatchObject({ error: 'timeout' })
  })
})

test('the list of fields follows the triggers', async () => {
  const paths = async (query: string) => {
    const { body } = await server.anna.request('GET', `/api/v1/event-fields${query}`)
    return body.items.map(({ path }: { path: string }) => path)
  }
  expect(await paths('?triggers=user.created')).not.toContain('call.uuid')
  expect(await paths('?triggers=user.created')).toContain('user.extension_number')
  expect(await paths('?triggers=user.created,ivr.received')).toContain('ivr.name')
  expect(await paths('')).toContain('call.status')
  const wrong = await server.anna.request('GET', '/api/v1/event-fields?triggers=call.ended,nope')
  expect(wrong).toMatchObject({ status: 422, body: { errors: [{ field: 'triggers' }] } })
})
