/** mTLS with every kind of authentication: the receiver sees the certificate of the webhook and what lets it in. */
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { putAuthorities, putClientCertificate } from '#server/store/tls-identities.ts'
import { type Authority, makeAuthority } from '#test/support/authority.ts'
import { listening, portOf } from '#test/support/sending.ts'
import { oneWebhook } from './one-webhook.ts'

interface Seen {
  readonly path: string
  readonly certificate: string
  readonly authorization: string | undefined
  readonly pbxToken: unknown
}

const seen: Seen[] = []
const parts = new AsyncDisposableStack()
let authority: Authority
let url: string

beforeAll(async () => {
  authority = parts.use(await makeAuthority())
  const { certificate, privateKey } = await authority.issue('localhost', ['DNS:localhost'])
  const server = createServer(
    { key: privateKey, cert: certificate, ca: authority.certificate, requestCert: true },
    (request, response) => {
      const { authorization, 'x-pbx-token': pbxToken } = request.headers
      const subject = (request.socket as TLSSocket).getPeerCertificate().subject
      const path = request.url ?? ''
      seen.push({ path, certificate: String(subject.CN), authorization, pbxToken })
      request.resume().on('end', () => response.end('{"access_token":"t0ken"}'))
    },
  )
  await listening(server)
  parts.defer(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  url = `https://localhost:${portOf(server)}`
})
afterAll(async () => await parts.disposeAsync())

const hook = (more: Partial<Seen> = {}): Seen => ({
  path: '/hook',
  certificate: 'the webhook',
  authorization: undefined,
  pbxToken: undefined,
  ...more,
})
const basicOf = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

test.each([
  ['none', {}, [hook()]],
  ['basic', { username: 'zoë', password: 'pass' }, [hook({ authorization: basicOf('zoë:pass') })]],
  ['token', { token: 'abc' }, [hook({ authorization: 'Bearer abc' })]],
  ['pbx_token', { token: 'abc' }, [hook({ pbxToken: 'abc' })]],
  [
    'oauth2',
    { token_url: '/token', client_id: 'me', client_secret: 'it' },
    [
      hook({ path: '/token', authorization: basicOf('me:it') }),
      hook({ authorization: 'Bearer t0ken' }),
    ],
  ],
] as const)('%s', async (type, settings, expected) => {
  seen.length = 0
  const token = 'token_url' in settings ? { token_url: url + settings.token_url } : {}
  await using one = await oneWebhook({
    url: `${url}/hook`,
    retries: 0,
    authentication: { type, ...settings, ...token },
  })
  const { account } = one.tenant
  const issued = await authority.issue('the webhook', ['DNS:webhook'])
  await putAuthorities(one.store, account.id, authority.certificate)
  await putClientCertificate(one.store, account.id, one.webhook.id, {
    certificate: issued.certificate,
    private_key: issued.privateKey,
  })
  expect(await one.deliver(eventSamples['call.ended'])).toMatchObject({ ok: true })
  expect(seen).toEqual(expected)
})
