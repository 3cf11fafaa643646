/** Webhooks from a definition. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPredefinedWebhooks } from '#server/predefined-webhooks.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const definitions = [...readPredefinedWebhooks('/nowhere').definitions.values()]
const address = (name: string) => `/api/v1/predefined-webhooks/${name}`

test('what comes with Offhook is right', () => {
  expect(readPredefinedWebhooks('/nowhere').leftOut).toEqual([])
})

test('the list has every definition, with what is to be filled in', async () => {
  const { body } = await server.anna.request('GET', '/api/v1/predefined-webhooks')
  expect(body.items).toEqual(definitions)
  expect(definitions.map(({ label }) => label)).toEqual(
    expect.arrayContaining(['Salesforce', 'Tradersoft', 'Voip Cloud']),
  )
})

test.each(definitions)('$label: what is asked for makes a webhook of it', async (definition) => {
  const { name, example, settings } = definition
  const missing = await server.anna.request('POST', address(name), { body: {} })
  expect(missing.status).toBe(422)
  const asked = definition.asks_for.map(({ field }) => field)
  for (const { field } of missing.body.errors) expect(asked).toContain(field)
  const service = await server.anna.request('POST', '/api/v1/services', {
    body: { name, friendly_name: name, connection: { kind: 'asterisk_managed' } },
  })
  const own = 'service_uuid' in example ? { service_uuid: service.body.uuid } : {}
  const made = await server.anna.request('POST', address(name), { body: { ...example, ...own } })
  expect(made).toMatchObject({
    status: 201,
    body: { predefined: name, name: settings.name, url: example.url },
  })
})

test('Tradersoft has the 14 parameters, and all can be edited', async () => {
  const url = 'https://crm.example/calls'
  const { body } = await server.anna.request('POST', address('tradersoft'), { body: { url } })
  expect(body.payload.fields.map(({ key }: { key: string }) => key)).toEqual([
    'uniqueid',
    'status',
    'bill_duration',
    'dst',
    'src',
    'leadid',
    'caller_id_number',
    'public_recording',
    'bridged',
    'start_at',
    'duration',
    'end_at',
    'hangup_initiator',
    'hangup_cause',
  ])
  const payload = { style: 'mapped', fields: [{ key: 'phone', field: 'src' }] }
  const edited = await server.anna.request('POST', address('tradersoft'), {
    body: { url, method: 'GET', format: 'query', payload, retries: 1, delay_seconds: 5 },
  })
  expect(edited.body).toMatchObject({
    method: 'GET',
    retries: 1,
    payload: { fields: [{ key: 'phone' }] },
  })
  expect(edited.body.payload.fields).toHaveLength(1)
})

test('Tradersoft: each parameter has its value in what is sent of a call', async () => {
  const settings = definitions.find(({ name }) => name === 'tradersoft')?.settings
  const { body } = await server.anna.request('POST', '/api/v1/webhooks/preview', {
    body: { trigger: 'call.ended', webhook: { ...settings, url: 'https://crm.example/calls' } },
  })
  expect(body).toMatchObject({ problems: [], fires: true })
  const { call } = body.event
  expect(JSON.parse(body.request.body)).toEqual({
    uniqueid: call.uuid,
    status: 'answered',
    bill_duration: 266,
    dst: '1002',
    src: '0288881234',
    leadid: null,
    caller_id_number: '0288881234',
    public_recording: call.recording_url,
    bridged: true,
    start_at: call.started_at,
    duration: 289,
    end_at: call.ended_at,
    hangup_initiator: 'caller',
    hangup_cause: 'Answered',
  })
})

test('what is wrong is told by field; an unknown one is 404', async () => {
  const wrong = await server.anna.request('POST', address('salesforce'), {
    body: { url: 'https://acme.example', connector: { several: 'guess' } },
  })
  expect(wrong.body.errors.map(({ field }: { field: string }) => field)).toContain(
    'connector.several',
  )
  const forbidden = await server.anna.request('POST', address('tradersoft'), {
    body: { url: 'https://crm.internal.example/' },
  })
  expect(forbidden.body.errors).toMatchObject([{ field: 'url', code: 'address_forbidden' }])
  const unknown = await server.anna.request('POST', address('hubspot'), { body: {} })
  expect(unknown.status).toBe(404)
  expect(unknown.body.detail).toContain('there are salesforce, tradersoft, voip_cloud')
})

test('the same key makes one webhook, and another name is another request', async () => {
  const ask = async (name: string) =>
    await server.anna.request('POST', address(name), {
      body: { url: 'https://crm.example/', name: 'x' },
      headers: { 'idempotency-key': 'once' },
    })
  const [first, second] = [await ask('tradersoft'), await ask('tradersoft')]
  expect(second.body.id).toBe(first.body.id)
  expect((await ask('salesforce')).body.code).toBe('idempotency_key_reused')
})

test.each([
  ['not JSON', '{', /JSON/],
  ['without a label', '{"name": "x"}', /label/],
  [
    'whose settings with its example are no webhook',
    JSON.stringify({
      ...definitions[0],
      example: { url: 'ftp://x' },
    }),
    /url/,
  ],
  ['with a name that is taken', JSON.stringify(definitions[0]), /another .* with the name/],
])('a definition %s is left out, and says why', async (_, text, message) => {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-definitions-'))
  try {
    const file = join(folder, 'predefined', 'x.json')
    await mkdir(join(folder, 'predefined'))
    await writeFile(file, text)
    const { definitions: read, leftOut } = readPredefinedWebhooks(folder)
    expect([...read.values()]).toEqual(definitions)
    expect(leftOut).toEqual([expect.stringMatching(message)])
    expect(leftOut[0]).toContain(file)
  } finally {
    await rm(folder, { recursive: true })
  }
})
