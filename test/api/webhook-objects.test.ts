/** Webhook objects of the call flow, as the PBX document sets them over the API. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

let services = 0
async function createService(): Promise<string> {
  services += 1
  const { body } = await server.anna.request('POST', '/api/v1/services', {
    body: {
      name: `pbx${services}`,
      friendly_name: 'Office',
      connection: { kind: 'asterisk_managed' },
    },
  })
  return body.uuid
}

const documentWith = (webhook: object | null) => ({
  name: 'pbx',
  components: [{ name: 'vip', webhook, next: { type: 'hangup' } }],
})
const put = (uuid: string, webhook: object | null) =>
  server.anna.request('PUT', `/api/v1/services/${uuid}/pbx`, { body: documentWith(webhook) })

async function webhooksOf(uuid: string): Promise<readonly Webhook[]> {
  return (await server.anna.request('GET', `/api/v1/webhooks?service_uuid=${uuid}`)).body.items
}

const url = 'https://receiver.example/vip'

test('its token and secret headers are masked, and stay when they come back so', async () => {
  const uuid = await createService()
  const headers = [
    { name: 'X-Open', value: 'seen' },
    { name: 'X-Secret', value: 'hidden-value', secret: true },
  ]
  const done = await put(uuid, { url, secret_token: 'hidden-token', headers })
  expect(done.status).toBe(200)
  const read = await server.anna.request('GET', `/api/v1/services/${uuid}/pbx`)
  expect(read.body.components[0].webhook).toEqual({
    url,
    secret_token: '********',
    headers: [
      { name: 'X-Open', value: 'seen', secret: false },
      { name: 'X-Secret', value: '********', secret: true },
    ],
  })
  const [before] = await webhooksOf(uuid)
  expect((await put(uuid, read.body.components[0].webhook)).status).toBe(200)
  expect(await webhooksOf(uuid)).toEqual([before])
  expect(JSON.stringify([done.body, read.body, before, server.log()])).not.toMatch(/hidden-/)
  const masked = await put(await createService(), { url, secret_token: '********' })
  expect(masked.body).toMatchObject({
    code: 'invalid_input',
    errors: [{ field: 'components[0].webhook.secret_token' }],
  })
})

test('a URL that requests may not go to is refused, and nothing is stored', async () => {
  const uuid = await createService()
  const reply = await put(uuid, { url: 'http://10.0.0.5/' })
  expect(reply.body).toMatchObject({
    status: 422,
    code: 'invalid_input',
    errors: [{ field: 'components[0].webhook.url', code: 'address_forbidden' }],
  })
  expect(await webhooksOf(uuid)).toEqual([])
  expect((await server.anna.request('GET', `/api/v1/services/${uuid}/pbx`)).status).toBe(404)
  const twice = await put(uuid, {
    url,
    secret_token: 'abc',
    headers: [{ name: 'x-pbx-token', value: 'other' }],
  })
  expect(twice.body.errors).toMatchObject([{ field: 'components[0].webhook.headers[0].name' }])
})

test('what the document does not speak of is set by PATCH, and outlives the next document', async () => {
  const uuid = await createService()
  await put(uuid, { url })
  const [object] = await webhooksOf(uuid)
  const address = `/api/v1/webhooks/${object?.id}`
  const body = {
    signed: false,
    hangup_causes: { Busy: 'BUSY' },
    filters: { ...object?.filters, call_types: ['inbound'] },
    retries: 7,
    order: 'strict',
    enabled: false,
  }
  expect((await server.anna.request('PATCH', address, { body })).body).toMatchObject(body)
  expect((await put(uuid, { url: `${url}/new`, secret_token: 'abc' })).status).toBe(200)
  const [after] = await webhooksOf(uuid)
  expect(after).toMatchObject({ ...body, id: object?.id, url: `${url}/new` })
  for (const [name, value] of Object.entries({
    name: 'x',
    url: 'https://crm.example/other',
    scope: 'service',
    service_uuid: null,
    triggers: ['call.ended'],
    method: 'PUT',
    format: 'query',
    path_arguments: ['x'],
    authentication: { type: 'none' },
    headers: [],
    payload: { style: 'native' },
    connector: null,
  })) {
    const refused = await server.anna.request('PATCH', address, { body: { [name]: value } })
    expect(refused.body.errors, name).toMatchObject([{ field: name, code: 'invalid' }])
  }
})

test('it is removed with its component, and by no other way', async () => {
  const uuid = await createService()
  await put(uuid, { url })
  const [object] = await webhooksOf(uuid)
  expect(object).toMatchObject({ scope: 'call_flow', component: 'vip' })
  const address = `/api/v1/webhooks/${object?.id}`
  expect((await server.anna.request('DELETE', address)).body).toMatchObject({
    status: 409,
    code: 'made_by_call_flow',
  })
  const change = { body: { url: 'https://other.example/' } }
  expect((await server.anna.request('PATCH', address, change)).body).toMatchObject({
    code: 'invalid_input',
    errors: [{ field: 'url' }],
  })
  expect((await server.anna.request('PATCH', address, { body: { retries: 0 } })).status).toBe(200)
  await put(uuid, null)
  expect((await server.anna.request('GET', address)).body.code).toBe('not_found')
})
