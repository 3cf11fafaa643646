/** The settings of a webhook's request by the API: what is taken, what is refused and why, what is never shown. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startReceiver } from '#test/support/receiver.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const draft = { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'] }

const create = async (more: object) =>
  await server.anna.request('POST', '/api/v1/webhooks', { body: { ...draft, ...more } })

test('defaults are the plain request', async () => {
  expect((await create({})).body).toMatchObject({
    scope: 'account',
    method: 'POST',
    format: 'json',
    path_arguments: [],
    authentication: { type: 'none' },
    signed: true,
    headers: [],
    payload: { style: 'native' },
  })
})

test('delivery options are taken, each', async () => {
  const options = {
    retries: 7,
    delay_seconds: 30,
    timeout_seconds: 20,
    order: 'strict',
    on_exhausted: 'block',
    rate_limit: 50,
    concurrency: 3,
  }
  expect((await create(options)).body).toMatchObject(options)
  expect((await create({})).body).toMatchObject({ retries: 3, delay_seconds: 0 })
})

test('GET without a format is a query; names of fields are answered as paths', async () => {
  const payload = { style: 'mapped', fields: [{ key: 'caller', field: 'Source Number' }] }
  const { body } = await create({ method: 'GET', payload, path_arguments: ['x-{{ uniqueid }}'] })
  expect(body).toMatchObject({
    format: 'query',
    path_arguments: ['x-{{ call.uuid }}'],
    payload: { fields: [{ key: 'caller', field: 'call.source.raw', value: null }] },
  })
})

test('Basic without username or password is what RFC 7617 makes of an empty one; a token must be given', async () => {
  const sent = async (authentication: object) => {
    await using receiver = await startReceiver()
    const created = await create({ url: receiver.url, authentication })
    expect(created.status).toBe(201)
    await server.anna.request('POST', `/api/v1/webhooks/${created.body.id}/test`, {
      body: { trigger: 'call.ended' },
    })
    return receiver.requests[0]?.headers.authorization
  }
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  expect(await sent({ type: 'basic' })).toBe(`Basic ${base64(':')}`)
  expect(await sent({ type: 'basic', username: 'u' })).toBe(`Basic ${base64('u:')}`)
  expect(await sent({ type: 'basic', password: 'p' })).toBe(`Basic ${base64(':p')}`)
  for (const type of ['token', 'pbx_token']) {
    expect((await create({ authentication: { type } })).body.errors).toMatchObject([
      { field: 'authentication.token', code: 'required' },
    ])
    expect((await create({ authentication: { type, token: '' } })).body.errors).toMatchObject([
      { field: 'authentication.token' },
    ])
  }
})

describe('secrets', () => {
  const settings = {
    authentication: { type: 'basic', username: 'offhook', password: 'pass-w0rd' },
    headers: [{ name: 'X-Key', value: 'k3y-value', secret: true }],
  }

  test('are masked in every reply; a mask that comes back leaves them', async () => {
    const created = await create(settings)
    const address = `/api/v1/webhooks/${created.body.id}`
    expect(created.body).toMatchObject({
      authentication: { password: '********' },
      headers: [{ value: '********' }],
    })
    const {
      id,
      scope,
      predefined,
      component,
      secret,
      breaker,
      disabled_reason,
      previous_secret_until,
      has_client_certificate,
      created_at,
      updated_at,
      ...shown
    } = created.body
    const changed = await server.anna.request('PATCH', address, { body: { ...shown, retries: 1 } })
    expect(changed).toMatchObject({ status: 200, body: { retries: 1 } })
    const list = await server.anna.request('GET', '/api/v1/webhooks')
    for (const reply of [created, changed, list]) {
      expect(JSON.stringify(reply.body)).not.toMatch(/pass-w0rd|k3y-value/)
    }
    expect(JSON.stringify(server.log())).not.toMatch(/pass-w0rd|k3y-value/)
  })

  test('a mask for what is not there is refused, with the field', async () => {
    const authentication = { type: 'pbx_token', token: '********' }
    expect((await create({ authentication })).body.errors).toEqual([
      expect.objectContaining({ field: 'authentication.token', code: 'invalid' }),
    ])
    const created = await create(settings)
    const changed = await server.anna.request('PATCH', `/api/v1/webhooks/${created.body.id}`, {
      body: { authentication },
    })
    expect(changed.body.errors).toMatchObject([{ field: 'authentication.token' }])
  })
})

describe('a secret goes to no other address than it was given for', () => {
  const message = expect.stringMatching(/given for another address: send it again/)
  const elsewhere = 'https://other.example/hook'
  const change = async (id: string, body: object) =>
    await server.anna.request('PATCH', `/api/v1/webhooks/${id}`, { body })
  const secrets = {
    authentication: { type: 'token', token: 't0ken-value' },
    headers: [{ name: 'X-Key', value: 'k3y-value', secret: true }],
  }

  test('where only the URL is changed, or the mask comes back with it', async () => {
    const { id, ...shown } = (await create(secrets)).body
    for (const body of [
      { url: elsewhere },
      { url: 'https://crm.example:8443/hook' },
      { url: 'http://crm.example/hook' },
      { url: elsewhere, authentication: shown.authentication, headers: shown.headers },
    ]) {
      const { status, body: told } = await change(id, body)
      expect(status).toBe(422)
      expect(told.errors).toEqual([
        { field: 'authentication.token', code: 'invalid', message },
        { field: 'headers[0].value', code: 'invalid', message },
      ])
    }
    expect((await server.anna.request('GET', `/api/v1/webhooks/${id}`)).body.url).toBe(draft.url)
  })

  test('but another path of the same address is no other address, and secrets may be given again or taken away', async () => {
    const { id } = (await create(secrets)).body
    expect((await change(id, { url: 'https://crm.example/other' })).status).toBe(200)
    expect((await change(id, { url: elsewhere, ...secrets })).status).toBe(200)
    const without = { url: draft.url, authentication: { type: 'none' }, headers: [] }
    expect((await change(id, without)).status).toBe(200)
    expect((await change(id, { url: elsewhere })).status).toBe(200)
  })

  test('what the secret of a client opens goes to the receiver: it is for both addresses', async () => {
    const authentication = {
      type: 'oauth2',
      token_url: 'https://login.example/token',
      client_id: 'offhook',
      client_secret: 'cl1ent-s3cret',
    }
    const { id, authentication: shown } = (await create({ authentication })).body
    const moved = { ...shown, token_url: 'https://other.example/token' }
    for (const body of [{ url: elsewhere }, { authentication: moved }]) {
      expect((await change(id, body)).body.errors).toMatchObject([
        { field: 'authentication.client_secret', message },
      ])
    }
    expect((await change(id, { url: elsewhere, authentication })).status).toBe(200)
  })
})

const field = (more: object) => ({ payload: { style: 'mapped', fields: [{ key: 'a', ...more }] } })
const header = (name: string, value = '1') => ({ headers: [{ name, value }] })

test.each([
  ['format', { method: 'GET', format: 'json' }, /must be query with GET/],
  ['payload', { method: 'GET' }, /must be mapped or phone-cloud with GET/],
  ['payload', { format: 'form' }, /must be mapped or phone-cloud with the format form/],
  ['payload.fields[0].field', field({ field: 'Sorce Number' }), /did you mean "Source Number"/],
  ['payload.fields[0].field', field({ field: 'legs[].name' }), /there is no field/],
  ['payload.fields[0]', field({}), /either a field or a value/],
  ['payload.fields[0].value', field({ value: 'x {{ nothing.here }}' }), /there is no field/],
  ['payload.fields[0].value', field({ value: 'x {{ call.uuid' }), /between \{\{ and \}\}/],
  ['payload.style', { payload: { style: 'xml' } }, /./],
  [
    'payload.time_zone',
    { payload: { ...field({ field: 'src' }).payload, time_zone: 'Mars/Base' } },
    /time zone/,
  ],
  [
    'payload.time_format',
    { payload: { ...field({ field: 'src' }).payload, time_format: 'YYYY-MM-DD HH:mm:ss' } },
    /did you mean "yyyy-MM-dd HH:mm:ss"\?/,
  ],
  ['path_arguments[0]', { path_arguments: ['..'] }, /leave the path/],
  ['headers[0].name', header('Content-Length'), /length of the body/],
  ['headers[0].name', header('webhook-id'), /signature/],
  ['headers[0].name', header('X Bad'), /header name/],
  ['headers[0].name', header('__proto__'), /no program could read/],
  ['headers[0].value', header('X-A', 'a\r\nX-B: 1'), /printable ASCII/],
  ['headers[1].name', { headers: [...header('X-A').headers, ...header('x-a').headers] }, /twice/],
  [
    'headers[0].name',
    { ...header('Authorization'), authentication: { type: 'basic' } },
    /by the authentication already/,
  ],
  ['authentication.username', { authentication: { type: 'basic', username: 'a:b' } }, /colon/],
  ['authentication.token', { authentication: { type: 'token', token: 'a\nb' } }, /printable/],
  ['scope', { scope: 'call_flow' }, /./],
  ['service_uuid', { scope: 'service' }, /must name a service/],
])('refused at %s: %j', async (path, settings, message) => {
  const { status, body } = await create(settings)
  expect(status).toBe(422)
  expect(body).toMatchObject({ code: 'invalid_input' })
  expect(body.errors).toContainEqual(
    expect.objectContaining({ field: path, message: expect.stringMatching(message) }),
  )
})

const template = (text: string, more: object = {}) => ({
  payload: { style: 'template', template: text, ...more },
})
const circle = { a: '{% render "b" %}', b: '{% render "a" %}' }

test.each([
  ['payload.template', template('a\n{% fro %}'), /^line 2, column 1: tag "fro" not found/],
  ['payload.template', template('{{ call.uuid | shout }}'), /undefined filter: shout/],
  ['payload.template', template('{% render "/etc/passwd" %}'), /there is no partial/],
  ['payload.template', template('x'.repeat(300_000)), /./],
  ['payload.template', template('ü'.repeat(40_000)), /64 KiB at most, with its partials/],
  ['payload.template', template(''), /./],
  ['payload.partials.b', template('{% render "a" %}', { partials: circle }), /"a" → "b" → "a"/],
  ['payload.partials.a', template('x', { partials: { a: '{% if %}' } }), /^line 1, column 6: /],
  ['payload.content_type', template('x', { content_type: 'a/b\r\nx: 1' }), /content type/],
  ['payload', { ...template('x'), format: 'form' }, /with the format form: template has no single/],
])('a template is refused at %s: %j', async (path, settings, message) => {
  const created = await create({})
  const address = `/api/v1/webhooks/${created.body.id}`
  for (const { status, body } of [
    await create(settings),
    await server.anna.request('PATCH', address, { body: settings }),
  ]) {
    expect(status).toBe(422)
    expect(body.errors).toContainEqual(
      expect.objectContaining({ field: path, message: expect.stringMatching(message) }),
    )
  }
})

const salesforce = (login: object, more: object = {}) => ({
  url: 'https://acme.my.salesforce.com',
  connector: { type: 'salesforce', login, ...more },
})
const secret = { type: 'client_credentials', client_id: 'app', client_secret: 's3cr3t' }
const bearer = { type: 'jwt_bearer', client_id: 'app', username: 'u@x', private_key: 'none' }

const refusedOfSalesforce: readonly (readonly [string, object, RegExp])[] = [
  ['connector.login.private_key', salesforce(bearer), /private key as PEM/],
  ['connector.external_id_field', salesforce(secret, { external_id_field: 'Id' }), /__c/],
  ['connector.owners.201', salesforce(secret, { owners: { 201: 'x' } }), /record id/],
  ['triggers[0]', { ...salesforce(secret), triggers: ['call.missed'] }, /one Task per call/],
  ['url', { ...salesforce(secret), url: 'https://acme.example/x' }, /no path and no query/],
  ['url', { ...salesforce(secret), url: 'https://acme.example/?x=1' }, /no path and no query/],
  ...Object.entries({
    method: 'PUT',
    format: 'query',
    path_arguments: ['x'],
    authentication: { type: 'pbx_token', token: 't0ken' },
    signed: false,
    headers: [{ name: 'X-Key', value: '1' }],
    payload: { style: 'cloudevents' },
  }).map(
    ([name, value]) =>
      [name, { ...salesforce(secret), [name]: value }, /its own requests/] as const,
  ),
]

test.each(refusedOfSalesforce)('Salesforce: refused at %s', async (path, settings, message) => {
  const { status, body } = await create(settings)
  expect(status).toBe(422)
  expect(body.errors).toContainEqual(
    expect.objectContaining({ field: path, message: expect.stringMatching(message) }),
  )
})

test('Salesforce: all that is without effect is named at once, also by a change', async () => {
  const { body } = await create({ method: 'PUT', headers: [{ name: 'X-Key', value: '1' }] })
  const changed = await server.anna.request('PATCH', `/api/v1/webhooks/${body.id}`, {
    body: { connector: salesforce(secret).connector },
  })
  expect(changed.status).toBe(422)
  expect(changed.body.errors.map(({ field }: { field: string }) => field)).toEqual([
    'url',
    'method',
    'headers',
  ])
})

test.each(['https://acme.my.salesforce.com', 'https://acme.my.salesforce.com/'])(
  'Salesforce: %s is taken, and own names for hangup causes with it',
  async (url) => {
    const settings = { ...salesforce(secret), url, hangup_causes: { Busy: 'ENGAGED' } }
    expect(await create(settings)).toMatchObject({ status: 201, body: { url } })
  },
)

test('Salesforce: its secret is masked', async () => {
  const { body } = await create(salesforce(secret))
  expect(body.connector.login).toEqual({ ...secret, client_secret: '********' })
})

test('a change is held to what it leaves the webhook with', async () => {
  const created = await create({})
  const address = `/api/v1/webhooks/${created.body.id}`
  const changed = await server.anna.request('PATCH', address, { body: { method: 'GET' } })
  expect(changed).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'format' }, { field: 'payload' }] },
  })
  expect((await server.anna.request('GET', address)).body.method).toBe('POST')
})

test('a key that the query of the URL has already is refused', async () => {
  const fields = [
    { key: 'src', field: 'src' },
    { key: 'key', field: 'Call UUID' },
  ]
  const payload = { style: 'mapped', fields }
  const url = 'https://crm.example/hook?key=secret&x=1'
  const { body } = await create({ url, method: 'GET', payload })
  expect(body.errors).toEqual([
    {
      field: 'payload.fields[1].key',
      code: 'invalid',
      message: 'is in the query of the URL already',
    },
  ])
  expect((await create({ url, payload })).status).toBe(201)
})

test.each([
  ['no padding', `whsec_${'A'.repeat(33)}`, /base64, padded/],
  ['no base64', `whsec_${'?'.repeat(32)}`, /base64, padded/],
  ['21 bytes', `whsec_${'A'.repeat(28)}`, /24 to 64 bytes/],
  ['66 bytes', `whsec_${'A'.repeat(88)}`, /24 to 64 bytes/],
])(
  'a signing secret of %s is refused, since receivers could not decode it',
  async (_, own, says) => {
    const { body } = await create({ secret: own })
    expect(body.errors).toEqual([
      { field: 'secret', code: expect.any(String), message: expect.stringMatching(says) },
    ])
  },
)

test('a header whose name tells of a secret is one, unless it is said not to be', async () => {
  const headers = [
    { name: 'X-Api-Key', value: 'k3y-value' },
    { name: 'X-Token-Kind', value: 'plain', secret: false },
    { name: 'X-Other', value: '1' },
  ]
  const { body } = await create({ headers })
  expect(body.headers).toEqual([
    { name: 'X-Api-Key', value: '********', secret: true },
    { name: 'X-Token-Kind', value: 'plain', secret: false },
    { name: 'X-Other', value: '1', secret: false },
  ])
})

test('a mask is no value: a header that is to be secret no more needs its own', async () => {
  const { id } = (await create({ headers: [{ name: 'X-Api-Key', value: 'k3y-value' }] })).body
  const headers = (value: string) => ({ headers: [{ name: 'X-Api-Key', value, secret: false }] })
  const address = `/api/v1/webhooks/${id}`
  const masked = await server.anna.request('PATCH', address, { body: headers('********') })
  expect(masked.body.errors).toMatchObject([{ field: 'headers[0].value' }])
  const told = await server.anna.request('PATCH', address, { body: headers('told') })
  expect(told.body.headers).toEqual(headers('told').headers)
})

test('own names for hangup causes: of the account and of a webhook', async () => {
  const account = '/api/v1/account'
  const before = await server.anna.request('GET', account)
  expect(before.body).toEqual({ ...server.anna.account, hangup_causes: {} })
  const changed = await server.anna.request('PATCH', account, {
    body: { hangup_causes: { 'No Answer': 'NOANSWER' } },
    headers: { 'if-match': before.headers.get('etag') ?? '' },
  })
  expect(changed.body.hangup_causes).toEqual({ 'No Answer': 'NOANSWER' })
  const late = await server.anna.request('PATCH', account, {
    body: { hangup_causes: {} },
    headers: { 'if-match': before.headers.get('etag') ?? '' },
  })
  expect(late.status).toBe(412)
  expect((await server.bert.request('GET', account)).body.hangup_causes).toEqual({})
  const preview = await server.anna.request('POST', '/api/v1/webhooks/preview', {
    body: { trigger: 'call.missed', webhook: { ...draft, triggers: ['call.missed'] } },
  })
  expect(preview.body.request.body).toContain('"cause":"NOANSWER"')
  expect((await create({ hangup_causes: { Busy: 'ENGAGED' } })).body.hangup_causes).toEqual({
    Busy: 'ENGAGED',
  })
  const wrong = await create({ hangup_causes: { Bussy: 'x' } })
  expect(wrong.body.errors).toMatchObject([
    { field: 'hangup_causes.Bussy', message: 'did you mean "Busy"?' },
  ])
})

test('OAuth2: the secret is masked, sent back it stays; the token URL is held to the rules of receivers', async () => {
  const authentication = {
    type: 'oauth2',
    token_url: 'https://login.example/token',
    client_id: 'offhook',
    client_secret: 'cl1ent-s3cret',
  }
  const created = await create({ authentication })
  expect(created.body.authentication).toEqual({
    ...authentication,
    client_secret: '********',
    scope: null,
    audience: null,
    client_authentication: 'basic',
  })
  const changed = await server.anna.request('PATCH', `/api/v1/webhooks/${created.body.id}`, {
    body: { authentication: { ...created.body.authentication, scope: 'calls' } },
  })
  expect(changed).toMatchObject({ status: 200, body: { authentication: { scope: 'calls' } } })
  expect(JSON.stringify(server.log())).not.toContain('cl1ent-s3cret')
  const wrong = async (more: object) =>
    (await create({ authentication: { ...authentication, ...more } })).body.errors
  expect(await wrong({ token_url: 'https://me:pw@login.example/' })).toMatchObject([
    { field: 'authentication.token_url' },
  ])
  expect(await wrong({ token_url: 'http://169.254.169.254/token' })).toMatchObject([
    { field: 'authentication.token_url', code: 'address_forbidden' },
  ])
  expect(await wrong({ scope: 'a  b' })).toMatchObject([{ field: 'authentication.scope' }])
  expect(await wrong({ client_authentication: 'jwt' })).toMatchObject([
    { field: 'authentication.client_authentication' },
  ])
  const preview = await server.anna.request('POST', '/api/v1/webhooks/preview', {
    body: { trigger: 'call.ended', webhook: { ...draft, authentication } },
  })
  expect(preview.body.request.headers.authorization).toBe('********')
  expect(preview.body.request.url).toBe(draft.url)
})

test.each([
  ['Content-Length', /length of the body/],
  ['webhook-signature', /belongs to the signature/],
  ['Transfer-Encoding', /belongs to the connection/],
])('a token does not go in the header %s', async (header, why) => {
  const { body } = await create({ authentication: { type: 'token', token: 'abc', header } })
  expect(body.errors).toEqual([
    expect.objectContaining({
      field: 'authentication.header',
      message: expect.stringMatching(why),
    }),
  ])
})
