import { parse } from 'csv-parse/sync'
import { parsePhoneNumber } from 'libphonenumber-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventTypeInfo } from '#contracts/event-type.ts'
import type { Event } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { type Api, startApi } from './start-api.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const types = ['call.inbound.received', 'call.inbound.answered', 'call.ended'] as const

const caller = eventSamples['call.inbound.received'].call.source.number ?? ''
/** As people of its country write it. */
const national = parsePhoneNumber(caller).formatNational()

let server: Api
let serviceUuid: string
let webhookId: string
let events: readonly Event[]
const parts = new AsyncDisposableStack()

/** Three events of one call, delivered to a real receiver that refuses the last one. */
beforeAll(async () => {
  server = parts.use(await startApi())
  const receiver = parts.use(
    await startReceiver({
      respond: ({ event }) => ({ status: event?.type === 'call.ended' ? 500 : 204 }),
    }),
  )
  const service = await server.anna.request('POST', '/api/v1/services', {
    body: {
      name: 'office',
      friendly_name: 'Office',
      country: parsePhoneNumber(caller).country,
      applications_enabled: true,
      connection: { kind: 'asterisk_managed' },
    },
  })
  serviceUuid = service.body.uuid
  const webhook = await server.anna.request('POST', '/api/v1/webhooks', {
    body: { name: 'CRM', url: `${receiver.url}in?token=s3cret`, triggers: types, retries: 0 },
  })
  webhookId = webhook.body.id
  const account = server.anna.account
  const { name, friendly_name, type } = service.body
  events = types.map((t, i) => ({
    ...eventSamples[t],
    sequence: i + 1,
    account,
    service: { uuid: serviceUuid, name, friendly_name, type },
  }))
  await acceptEvents(server.store, {
    accountId: account.id,
    serviceUuid,
    events,
    openCalls: null,
    cursor: null,
    now: Date.now(),
  })
  const stop = new AbortController()
  const sender = createSender({ policy: loopbackPolicy })
  const delivering = runDeliver(
    {
      store: server.store,
      sender,
      templates,
      version: '0',
      maxInFlight: 8,
      disableAfterMs: null,
      stopMs: 1000,
      log: quiet,
      now: Date.now,
    },
    stop.signal,
  )
  parts.defer(async () => {
    stop.abort()
    await delivering
    await sender.close()
  })
  await waitUntil(async () => (await list('')).every((d) => d.finished_at !== null), {
    what: 'all deliveries are finished',
  })
})
afterAll(async () => await parts.disposeAsync())

async function list(query: string): Promise<Record<string, unknown>[]> {
  const { status, body } = await server.anna.request('GET', `/api/v1/deliveries?${query}`)
  expect(status).toBe(200)
  return body.items
}

describe('deliveries', () => {
  test('are listed newest first, with their states', async () => {
    const all = await list('')
    expect(all.map((d) => [d.event_type, d.state, d.attempts])).toEqual([
      ['call.ended', 'exhausted', 1],
      ['call.inbound.answered', 'delivered', 1],
      ['call.inbound.received', 'delivered', 1],
    ])
  })

  test.each([
    ['state=exhausted', 1],
    ['state=delivered', 2],
    ['state=pending', 0],
    ['event_type=call.ended', 1],
    [`call_uuid=${eventSamples['call.ended'].call.uuid}`, 3],
    ['call_uuid=6a1f8f0e-0f52-4b0e-9df0-0f4f6a1b2c3d', 0],
    ['webhook_id=wh_0', 0],
    [`number=${encodeURIComponent(national)}`, 3],
    ['number=201', 0],
    ['status_code=5xx', 1],
    ['status_code=204', 2],
    ['status_code=404', 0],
    ['error=status', 1],
    ['error=dns', 0],
    ['since=2020-01-01T00:00:00.000Z', 3],
    ['until=2020-01-01T00:00:00.000Z', 0],
  ])('filtered by %s are %i', async (query, count) => {
    expect(await list(query)).toHaveLength(count)
  })

  test('of a webhook are found by its id, page by page', async () => {
    const first = await server.anna.request(
      'GET',
      `/api/v1/deliveries?webhook_id=${webhookId}&limit=2`,
    )
    expect(first.body.items).toHaveLength(2)
    const cursor = first.body.next_cursor
    const second = await server.anna.request(
      'GET',
      `/api/v1/deliveries?webhook_id=${webhookId}&limit=2&cursor=${cursor}`,
    )
    expect(second.body).toMatchObject({ items: [{ event_type: types[0] }], next_cursor: null })
  })

  test('one is read by its id, and its attempt tells the request and the reply', async () => {
    const [failed] = await list('state=exhausted')
    const one = await server.anna.request('GET', `/api/v1/deliveries/${failed?.id}`)
    expect(one.body).toEqual(failed)
    const { body } = await server.anna.request('GET', `/api/v1/deliveries/${failed?.id}/attempts`)
    expect(body).toMatchObject({
      items: [
        {
          delivery_id: failed?.id,
          number: 1,
          ok: false,
          status_code: 500,
          error: 'status',
          method: 'POST',
          url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/in\?token=\*\*\*$/),
          remote_address: '127.0.0.1',
          http_version: '1.1',
          timings: { dns_ms: null, tls_ms: null },
          request_headers: { 'content-type': 'application/json' },
          next_try_at: null,
        },
      ],
      next_cursor: null,
    })
    const { duration_ms, timings } = body.items[0]
    expect(timings.first_byte_ms).toBeLessThanOrEqual(duration_ms)
    expect(JSON.parse(body.items[0].request_body)).toEqual(events[2])
  })

  test('of another account do not exist', async () => {
    const [one] = await list('')
    for (const path of [
      `/api/v1/deliveries/${one?.id}`,
      `/api/v1/deliveries/${one?.id}/attempts`,
    ]) {
      expect((await server.bert.request('GET', path)).body.code).toBe('not_found')
    }
    const { body } = await server.bert.request('GET', `/api/v1/deliveries?webhook_id=${webhookId}`)
    expect(body.items).toEqual([])
  })
})

describe('attempts', () => {
  test.each([
    ['', 3],
    ['ok=false', 1],
    ['ok=true&status_code=2xx', 2],
    ['status_code=500', 1],
    ['event_type=call.ended', 1],
    [`number=${encodeURIComponent(caller)}`, 3],
    ['state=delivered', 2],
    ['until=2020-01-01T00:00:00.000Z', 0],
  ])('of the whole account, filtered by "%s", are %i', async (query, count) => {
    const { body } = await server.anna.request('GET', `/api/v1/attempts?${query}`)
    expect(body.items).toHaveLength(count)
    const others = await server.bert.request('GET', `/api/v1/attempts?${query}`)
    expect(others.body.items).toEqual([])
  })

  test.each(['status_code=6xx', 'ok=maybe', 'number=nobody', 'error=oops'])(
    '%s is no search',
    async (query) => {
      const { body } = await server.anna.request('GET', `/api/v1/attempts?${query}`)
      expect(body).toMatchObject({
        code: 'invalid_input',
        errors: [{ field: query.split('=')[0] }],
      })
    },
  )
})

describe('why did this not fire', () => {
  test('an event tells what became of it at each webhook', async () => {
    const crm = await server.anna.request('GET', `/api/v1/webhooks/${webhookId}`)
    const quiet = await server.anna.request('POST', '/api/v1/webhooks', {
      body: { name: 'Quiet', url: crm.body.url, triggers: ['voicemail.left'] },
    })
    expect(quiet.status).toBe(201)
    const [, , ended] = events
    const path = `/api/v1/events/${ended?.id}/explain`
    const { body } = await server.anna.request('GET', path)
    await server.anna.request('DELETE', `/api/v1/webhooks/${quiet.body.id}`)
    expect(body).toMatchObject({
      event: { id: ended?.id, type: 'call.ended', service_uuid: serviceUuid },
      items: [
        { webhook_name: 'Quiet', code: 'webhook_newer', delivery: null },
        {
          webhook_name: 'CRM',
          code: 'exhausted',
          says: expect.stringContaining('The receiver answered 500'),
          delivery: { state: 'exhausted', last_status_code: 500, last_error: 'status' },
        },
      ],
      next_cursor: null,
    })
    expect((await server.bert.request('GET', path)).body.code).toBe('not_found')
  })
})

describe('exports', () => {
  const get = async (path: string, accept = '*/*') => {
    const headers = { authorization: `Bearer ${server.anna.key}`, accept }
    const response = await fetch(`${server.url}/api/v1${path}`, { headers })
    return { type: response.headers.get('content-type'), text: await response.text() }
  }
  const records = (text: string): Record<string, string>[] =>
    parse(text, { columns: true, record_delimiter: '\r\n' })

  test('deliveries as CSV have the columns of the JSON, filtered the same way', async () => {
    const { type, text } = await get('/deliveries?format=csv&state=exhausted')
    expect(type).toBe('text/csv; charset=utf-8; header=present')
    const [item] = await list('state=exhausted')
    const expected = Object.entries(item ?? {}).map(([k, v]) => [k, v === null ? '' : String(v)])
    expect(records(text)).toEqual([Object.fromEntries(expected)])
  })

  test('attempts as CSV hold headers as JSON and bodies as they were', async () => {
    const [failed] = await list('state=exhausted')
    const { text } = await get(`/deliveries/${failed?.id}/attempts`, 'text/csv')
    const [attempt] = records(text)
    expect(attempt).toMatchObject({ number: '1', ok: 'false', status_code: '500' })
    expect(JSON.parse(attempt?.request_body ?? '')).toEqual(events[2])
    expect(JSON.parse(attempt?.request_headers ?? '')).toHaveProperty('webhook-id')
  })

  test('events as NDJSON are one native event on each line; as CSV a row of their main fields', async () => {
    const { type, text } = await get('/events', 'application/x-ndjson')
    expect(type).toBe('application/x-ndjson; charset=utf-8')
    const read = text.trimEnd().split('\n')
    expect(read.map((line) => JSON.parse(line))).toEqual(events.toReversed())
    const csv = await get('/events?format=csv', 'application/json')
    const [ended] = records(csv.text)
    const { call } = eventSamples['call.ended']
    expect(ended).toMatchObject({
      type: 'call.ended',
      'call.source.number': call.source.number,
      'call.hangup.cause': call.hangup.cause,
    })
  })

  test('HEAD tells the type and reads nothing', async () => {
    const headers = { authorization: `Bearer ${server.anna.key}`, accept: 'text/csv' }
    const response = await fetch(`${server.url}/api/v1/events`, { method: 'HEAD', headers })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toMatch(/^text\/csv/)
    expect(response.headers.get('content-disposition')).toBeNull()
  })

  test('a page of an export is refused, and one of another account is empty', async () => {
    const { text } = await get('/deliveries?format=csv&limit=5&cursor=x')
    expect(JSON.parse(text)).toMatchObject({
      code: 'invalid_input',
      errors: [{ field: 'limit' }, { field: 'cursor' }],
    })
    const headers = { authorization: `Bearer ${server.bert.key}` }
    const response = await fetch(`${server.url}/api/v1/events?format=ndjson`, { headers })
    expect(await response.text()).toBe('')
    const path = `/api/v1/deliveries/dlv_0/attempts?format=csv`
    expect((await server.anna.request('GET', path)).body.code).toBe('not_found')
  })
})

describe('events', () => {
  const listEvents = async (query: string): Promise<Event[]> =>
    (await server.anna.request('GET', `/api/v1/events?${query}`)).body.items

  test('are listed newest first in the native form, and read by id', async () => {
    expect(await listEvents('')).toEqual(events.toReversed())
    const one = await server.anna.request('GET', `/api/v1/events/${events[0]?.id}`)
    expect(one.body).toEqual(events[0])
  })

  test.each([
    ['type=call.ended', 1],
    [`call_uuid=${eventSamples['call.ended'].call.uuid}`, 3],
    ['service_uuid=6a1f8f0e-0f52-4b0e-9df0-0f4f6a1b2c3d', 0],
    ['until=2020-01-01T00:00:00.000Z', 0],
    [`number=${encodeURIComponent('02 9000 0000')}`, 0],
    [`number=${encodeURIComponent(national)}`, 3],
    [`number=${encodeURIComponent(caller.replace('+', '00'))}`, 3],
  ])('filtered by %s are %i', async (query, count) => {
    expect(await listEvents(query)).toHaveLength(count)
  })

  test('of another account do not exist', async () => {
    const reply = await server.bert.request('GET', `/api/v1/events/${events[0]?.id}`)
    expect(reply.body.code).toBe('not_found')
    expect((await server.bert.request('GET', '/api/v1/events')).body.items).toEqual([])
  })
})

test('the catalogue tells every type with fields, sample and JSON Schema', async () => {
  const { body } = await server.anna.request('GET', '/api/v1/event-types')
  expect(body.items.map((t: { type: string }) => t.type)).toEqual(Object.keys(eventSamples))
  const missed = body.items.find((t: { type: string }) => t.type === 'call.missed')
  expect(missed).toMatchObject({ label: 'Call Missed', sample: eventSamples['call.missed'] })
  expect(missed.fields).toContainEqual(
    expect.objectContaining({ path: 'call.hangup.cause', type: 'choice', nullable: false }),
  )
  expect(missed.schema.properties.reached).toBeDefined()
})

test('the catalogue shows the Phone Cloud format of a trigger: sample, type and description of every variable', async () => {
  const { body } = await server.anna.request('GET', '/api/v1/event-types')
  const byType = new Map((body.items as EventTypeInfo[]).map((info) => [info.type, info]))
  expect(byType.get('call.missed')?.phone_cloud).toBeNull()
  const voicemail = byType.get('voicemail.left')?.phone_cloud
  expect(voicemail).toMatchObject({
    type: 'voicemail',
    sample: { type: 'voicemail', dest_number: '1001', email_subject: null },
  })
  expect(voicemail?.fields.map(({ name }) => name)).toEqual(Object.keys(voicemail?.sample ?? {}))
  expect(voicemail?.fields).toContainEqual({
    name: 'recorded_at',
    type: 'time',
    unit: null,
    nullable: false,
    description: 'When the message was left.',
  })
})
