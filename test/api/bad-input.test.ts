/** Bad input to webhooks: each gets a problem with a code, the field, and what would be right; nothing is stored of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const draft = { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'] }
const fields = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `key${i}`, field: 'call.uuid' }))
const texts = (count: number, length: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `key${i}`, value: 'x'.repeat(length) }))
const mapped = (more: object) => ({ payload: { style: 'mapped', fields: fields(1), ...more } })
const template = (more: object) => ({ payload: { style: 'template', template: '{}', ...more } })

test.each([
  ['an unknown trigger', { triggers: ['call.endet'] }, 'triggers[0]', 'not_allowed', /call\.ended/],
  ['no trigger', { triggers: [] }, 'triggers', 'too_small', /./],
  ['a bad URL', { url: 'crm.example/hook' }, 'url', 'wrong_format', /http:\/\/ or https:\/\//],
  ['a URL of another scheme', { url: 'ftp://crm.example/' }, 'url', 'wrong_format', /https/],
  [
    'a URL with credentials',
    { url: 'https://me:secret@crm.example/' },
    'url',
    'invalid',
    /must not carry credentials/,
  ],
  [
    'a URL that leads inside',
    { url: 'http://10.1.2.3/' },
    'url',
    'address_forbidden',
    /10\.1\.2\.3/,
  ],
  ['too many fields', mapped({ fields: fields(201) }), 'payload.fields', 'too_large', /200/],
  [
    'duplicate request keys',
    mapped({ fields: [...fields(1), ...fields(1)] }),
    'payload.fields[1].key',
    'invalid',
    /another key than that of fields\[0\]/,
  ],
  [
    'a cyclic template',
    template({
      template: "{% render 'a' %}",
      partials: { a: "{% render 'b' %}", b: "{% render 'a' %}" },
    }),
    'payload.partials.b',
    'invalid',
    /"a" → "b" → "a"/,
  ],
  [
    'a template of 300 KB',
    template({ template: JSON.stringify({ text: 'x'.repeat(300_000) }) }),
    'payload.template',
    'too_large',
    /at most 65536 characters/,
  ],
  [
    'a mapped payload of 300 KB',
    mapped({ fields: texts(75, 4_000) }),
    'payload.fields',
    'invalid',
    /64 KiB of keys and values at most altogether, not 300\d{3} bytes/,
  ],
  ['a wrong type', { retries: '3' }, 'retries', 'wrong_type', /number/],
  ['a wrong type within', { headers: 'X-A: 1' }, 'headers', 'wrong_type', /./],
  ['a number out of its range', { timeout_seconds: 61 }, 'timeout_seconds', 'too_large', /60/],
  ['an unknown field', { retrys: 3 }, 'retrys', 'unknown_field', /did you mean "retries"/],
  ['a name that is missing', { name: undefined }, 'name', 'required', /./],
])('%s', async (_, settings, field, code, message) => {
  const count = async () =>
    (await server.anna.request('GET', '/api/v1/webhooks')).body.items.length as number
  const before = await count()
  const { status, body } = await server.anna.request('POST', '/api/v1/webhooks', {
    body: { ...draft, ...settings },
  })
  expect(status).toBe(422)
  expect(body).toMatchObject({ code: 'invalid_input', type: 'urn:offhook:problem:invalid_input' })
  expect(body.errors).toContainEqual(
    expect.objectContaining({ field, code, message: expect.stringMatching(message) }),
  )
  expect(await count()).toBe(before)
})

test('a payload that grows to 300 KB with the values of an event is told by the preview', async () => {
  const liquid = `{% for leg in (1..300) %}${'x'.repeat(1_000)}{% endfor %}`
  const webhook = { ...draft, ...template({ template: liquid, content_type: 'text/plain' }) }
  const { body } = await server.anna.request('POST', '/api/v1/webhooks/preview', {
    body: { trigger: 'call.ended', webhook },
  })
  expect(body).toMatchObject({
    request: null,
    problems: [{ field: 'payload', code: 'invalid', message: expect.stringMatching(/256 KiB/) }],
  })
})

test('all of it is told at once: what is wrong by itself, and what does not go together', async () => {
  const wrong = {
    ...draft,
    name: '',
    retries: 'many',
    triggers: ['call.ended', 'call.missed'],
    scope: 'global',
    method: 'GET',
    payload: { style: 'template', template: '{% fro %}' },
  }
  const fields = (errors: readonly { readonly field: string }[]) =>
    errors.map(({ field }) => field).toSorted()
  const refused = await server.anna.request('POST', '/api/v1/webhooks', { body: wrong })
  const parts = ['authentication', 'name', 'payload', 'payload', 'retries', 'service_uuid']
  expect(fields(refused.body.errors)).toEqual(parts)
  const preview = await server.anna.request('POST', '/api/v1/webhooks/preview', {
    body: { trigger: 'call.ended', webhook: wrong },
  })
  expect(fields(preview.body.problems)).toEqual([...parts, 'payload.template'].toSorted())
  const made = await server.anna.request('POST', '/api/v1/webhooks', { body: draft })
  const change = await server.anna.request('POST', '/api/v1/webhooks/preview', {
    body: {
      trigger: 'call.ended',
      webhook_id: made.body.id,
      webhook: { retries: -1, method: 'GET' },
    },
  })
  expect(fields(change.body.problems)).toEqual(['format', 'payload', 'retries'])
})

test.each([{}, { format: 'query', payload: { style: 'mapped', fields: fields(1) } }])(
  'a URL that is none is told, whatever else would look at it: %j',
  async (settings) => {
    const login = { type: 'client_credentials', client_id: 'c', client_secret: 's3cret' }
    const connector = { type: 'salesforce', login }
    const body = { ...draft, url: 'crm.example', ...settings }
    for (const wrong of [body, { ...body, connector }]) {
      const refused = await server.anna.request('POST', '/api/v1/webhooks', { body: wrong })
      expect(refused.status).toBe(422)
      expect(refused.body.errors).toMatchObject([{ field: 'url' }])
    }
  },
)

test('a predefined webhook names all that is left to fill in', async () => {
  const { body } = await server.anna.request('POST', '/api/v1/predefined-webhooks/voip_cloud', {
    body: { url: draft.url },
  })
  expect(body.errors.map(({ field }: { field: string }) => field)).toEqual([
    'authentication.token',
    'service_uuid',
  ])
})

test.each(['2026-11-22T09:30:00Z', '2026-11-22T20:30:00+11:00', '2026-11-22T09:30:00.123456Z'])(
  'a time is taken as %s; what is none is told with one that is taken',
  async (since) => {
    const ask = async (text: string) =>
      await server.anna.request('GET', `/api/v1/deliveries?since=${encodeURIComponent(text)}`)
    expect((await ask(since)).status).toBe(200)
    const { body } = await ask('22.11.2026')
    const [, suggested] = /such as (\S+)/.exec(body.errors[0].message) ?? []
    expect((await ask(suggested ?? '')).status).toBe(200)
  },
)

test('a body of more than 1 MiB', async () => {
  const { status, body } = await server.anna.request('POST', '/api/v1/webhooks', {
    body: { ...draft, ...template({ template: 'x'.repeat(1_100_000) }) },
  })
  expect([status, body.code]).toEqual([413, 'body_too_large'])
})

describe('what is another account’s does not exist', () => {
  test('its webhook: 404 for all that can be done with it, never 403', async () => {
    const made = await server.anna.request('POST', '/api/v1/webhooks', { body: draft })
    const address = `/api/v1/webhooks/${made.body.id}`
    const ask = async (method: string, path: string, body?: object) =>
      await server.bert.request(method, path, body === undefined ? {} : { body })
    for (const reply of [
      await ask('GET', address),
      await ask('PATCH', address, { retries: 1 }),
      await ask('DELETE', address),
      await ask('POST', `${address}/enable`),
      await ask('POST', `${address}/disable`),
      await ask('POST', `${address}/test`, { trigger: 'call.ended' }),
      await ask('POST', `${address}/rotate-secret`, {}),
      await ask('POST', '/api/v1/webhooks/preview', {
        webhook_id: made.body.id,
        trigger: 'call.ended',
      }),
    ]) {
      expect([reply.status, reply.body.code]).toEqual([404, 'not_found'])
    }
    expect((await server.anna.request('GET', address)).body).toMatchObject({ retries: 3 })
  })

  test('its service: a field that names nothing', async () => {
    const service = await server.anna.request('POST', '/api/v1/services', {
      body: { name: 'pbx9', friendly_name: 'x', connection: { kind: 'asterisk_managed' } },
    })
    const { body } = await server.bert.request('POST', '/api/v1/webhooks', {
      body: { ...draft, service_uuid: service.body.uuid },
    })
    expect(body.errors).toEqual([
      {
        field: 'service_uuid',
        code: 'invalid',
        message: 'there is no such service in your account; GET /api/v1/services lists them',
      },
    ])
  })
})
