/** What the preview shows of a webhook with the Salesforce connector. */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const draft = { name: 'CRM', triggers: ['call.ended'] }
const pem = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

const preview = async (webhook: object) =>
  await server.anna.request('POST', '/api/v1/webhooks/preview', {
    body: { trigger: 'call.ended', webhook },
  })

test('the Task of an ended call, that of nobody yet', async () => {
  const login = { type: 'client_credentials', client_id: 'c', client_secret: 's3cret' }
  const url = 'https://acme.my.salesforce.com'
  const webhook = { ...draft, url, connector: { type: 'salesforce', login } }
  const { status, body } = await preview(webhook)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    problems: [],
    fires: true,
    hints: [{ field: 'connector' }],
    request: {
      method: 'PATCH',
      url: `${url}/services/data/v62.0/composite/sobjects/Task/Offhook_Call_Id__c`,
      headers: { authorization: '********' },
    },
  })
  expect(JSON.parse(body.request.body)).toMatchObject({
    records: [
      {
        attributes: { type: 'Task' },
        Offhook_Call_Id__c: body.event.call.uuid,
        Subject: 'Inbound call from +61288881234',
        WhoId: null,
      },
    ],
  })
  expect(JSON.stringify(body)).not.toContain('s3cret')
})

test.each([
  [
    'client_secret',
    { type: 'client_credentials', client_id: 'c', client_secret: 's3cret' },
    /can read it/,
  ],
  [
    'private_key',
    { type: 'jwt_bearer', client_id: 'c', username: 'u@x.example', private_key: pem },
    /can sign in with what it signed/,
  ],
])('warns of the %s at an http:// address', async (name, login, message) => {
  const webhook = { ...draft, connector: { type: 'salesforce', login } }
  const ask = async (url: string) => (await preview({ ...webhook, url })).body
  expect(await ask('http://acme.example')).toMatchObject({
    problems: [],
    hints: [
      { field: `connector.login.${name}`, message: expect.stringMatching(message) },
      { field: 'connector' },
    ],
  })
  expect((await ask('https://acme.example')).hints).toMatchObject([{ field: 'connector' }])
})
