import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, type Issued, makeAuthority } from '#test/support/authority.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
let authority: Authority
let issued: Issued
beforeAll(async () => {
  server = await startApi()
  authority = await makeAuthority('Our authority')
  issued = await authority.issue('offhook', ['DNS:offhook.example'])
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await authority[Symbol.asyncDispose]()
})

const authorities = '/api/v1/account/authorities'

describe('authorities', () => {
  test('are none, then those that were given, then none', async () => {
    const { anna, bert } = server
    const none = { certificates: null, items: [] }
    expect((await anna.request('GET', authorities)).body).toEqual(none)
    const body = { certificates: authority.certificate }
    const put = await anna.request('PUT', authorities, { body })
    expect(put.body).toMatchObject({
      certificates: authority.certificate,
      items: [{ subject: 'CN=Our authority' }],
    })
    expect((await anna.request('GET', authorities)).body).toEqual(put.body)
    expect((await bert.request('GET', authorities)).body).toEqual(none)
    const off = await anna.request('PUT', authorities, { body: { certificates: null } })
    expect(off.body).toEqual(none)
  })

  test('what is no certificate is refused by name', async () => {
    const body = { certificates: `${authority.certificate}${issued.privateKey}` }
    const reply = await server.anna.request('PUT', authorities, { body })
    expect(reply.status).toBe(422)
    expect(reply.body.errors).toEqual([
      {
        field: 'certificates',
        code: 'invalid',
        message: 'holds a private key; give the certificates only',
      },
    ])
  })

  test('a change of another is noticed by If-Match', async () => {
    const { headers } = await server.bert.request('GET', authorities)
    const body = { certificates: authority.certificate }
    await server.bert.request('PUT', authorities, { body })
    const late = await server.bert.request('PUT', authorities, {
      body: { certificates: null },
      headers: { 'if-match': headers.get('etag') ?? '' },
    })
    expect(late.body.code).toBe('precondition_failed')
  })
})

describe('the client certificate of a webhook', () => {
  async function webhook(): Promise<string> {
    const { body } = await server.anna.request('POST', '/api/v1/webhooks', {
      body: { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'] },
    })
    return `/api/v1/webhooks/${body.id}/client-certificate`
  }
  const pair = () => ({ certificate: issued.certificate, private_key: issued.privateKey })

  test('is shown by what it says, and its key never', async () => {
    const address = await webhook()
    const shown = async () =>
      (await server.anna.request('GET', address.replace('/client-certificate', ''))).body
    expect((await server.anna.request('GET', address)).status).toBe(404)
    expect(await shown()).toMatchObject({ has_client_certificate: false })
    const put = await server.anna.request('PUT', address, { body: pair() })
    expect(await shown()).toMatchObject({ has_client_certificate: true })
    expect(put.body).toMatchObject({ subject: 'CN=offhook', issuer: 'CN=Our authority' })
    const read = await server.anna.request('GET', address)
    expect(read.body).toEqual(put.body)
    expect(JSON.stringify(read.body)).not.toContain('PRIVATE KEY')
    const row = await server.store.read
      .selectFrom('webhook')
      .select('client_certificate')
      .where('id', '=', address.split('/')[4] ?? '')
      .executeTakeFirstOrThrow()
    expect(row.client_certificate).not.toContain('PRIVATE KEY')
    expect((await server.anna.request('DELETE', address)).status).toBe(204)
    expect((await server.anna.request('GET', address)).status).toBe(404)
    expect((await server.anna.request('DELETE', address)).status).toBe(404)
  })

  test('of another account does not exist', async () => {
    const address = await webhook()
    await server.anna.request('PUT', address, { body: pair() })
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const given = method === 'PUT' ? { body: pair() } : {}
      expect((await server.bert.request(method, address, given)).body.code).toBe('not_found')
    }
    expect((await server.anna.request('GET', address)).status).toBe(200)
  })

  test('a key of another certificate is refused by name', async () => {
    const other = await authority.issue('other', ['DNS:other'])
    const body = { certificate: issued.certificate, private_key: other.privateKey }
    const reply = await server.anna.request('PUT', await webhook(), { body })
    expect(reply.body.errors).toEqual([
      {
        field: 'private_key',
        code: 'invalid',
        message: 'is not the key of the first certificate',
      },
    ])
  })
})
