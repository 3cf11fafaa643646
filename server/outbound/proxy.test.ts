import { once } from 'node:events'
import { createServer } from 'node:https'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { proxyOf } from '#server/outbound/proxy.ts'
import { makeAuthority } from '#test/support/authority.ts'
import { type ConnectProxyOptions, startConnectProxy } from '#test/support/connect-proxy.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { listening, peer, portOf, sending, to, within } from '#test/support/sending.ts'

/** A sender for the Internet whose only way out is a proxy; names lead to this machine there. */
async function behind(options: ConnectProxyOptions = {}) {
  const parts = new AsyncDisposableStack()
  const proxy = parts.use(await startConnectProxy(options))
  const sender = parts.use(sending({ policy: { allow: [], deny: [] }, proxy: proxyOf(proxy.url) }))
  return { sender, proxy, [Symbol.asyncDispose]: async () => await parts.disposeAsync() }
}

describe('a tunnel', () => {
  test('carries http, is kept, and the proxy resolves the name', async () => {
    await using receiver = await startReceiver()
    await using out = await behind()
    const { port } = new URL(receiver.url)
    for (let i = 0; i < 3; i++) {
      const outcome = await out.sender.attempt(to(`http://hooks.example:${port}/x`), within)
      expect(outcome).toMatchObject({ ok: true, remoteAddress: '127.0.0.1' })
    }
    expect(out.proxy.asked).toEqual([{ target: `hooks.example:${port}`, authorization: undefined }])
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/x', '/x', '/x'])
  })

  test('carries https, and the certificate is the receiver’s', async () => {
    await using authority = await makeAuthority()
    const { privateKey, certificate } = await authority.issue('hooks', ['DNS:hooks.example'])
    const server = createServer({ key: privateKey, cert: certificate }, (_, response) =>
      response.end('ok'),
    )
    await listening(server)
    await using out = await behind()
    const limits = { ...within, identity: { ca: [authority.certificate], client: null } }
    const url = `https://hooks.example:${portOf(server)}/`
    const outcome = await out.sender.attempt(to(url), limits)
    expect(outcome).toMatchObject({ ok: true, responseBody: 'ok' })
    expect(outcome.timings.tlsMs).toBeGreaterThanOrEqual(0)
    const wrong = await out.sender.attempt(to(url.replace('hooks', 'other')), limits)
    expect(wrong).toMatchObject({ error: 'tls' })
    await out.sender.close()
    server.close()
    await once(server, 'close')
  })

  test('is asked for with the credentials of the setting', async () => {
    await using receiver = await startReceiver()
    await using proxy = await startConnectProxy()
    const url = proxy.url.replace('://', '://us%40er:p%3Aw@')
    await using sender = sending({ proxy: proxyOf(url) })
    const { port } = new URL(receiver.url)
    expect(await sender.attempt(to(`http://hooks.example:${port}/`), within)).toMatchObject({
      ok: true,
    })
    const basic = `Basic ${Buffer.from('us@er:p:w').toString('base64')}`
    expect(proxy.asked[0]?.authorization).toBe(basic)
  })

  test('is made over TLS where the proxy speaks it', async () => {
    await using authority = await makeAuthority()
    const issued = await authority.issue('localhost', ['DNS:localhost'])
    await using proxy = await startConnectProxy({ tls: issued })
    const server = createServer(
      { key: issued.privateKey, cert: issued.certificate },
      (_, response) => response.end('ok'),
    )
    await listening(server)
    const usual = getCACertificates('default')
    setDefaultCACertificates([...usual, authority.certificate])
    try {
      await using sender = sending({ proxy: proxyOf(proxy.url) })
      const url = `https://localhost:${portOf(server)}/`
      expect(await sender.attempt(to(url), within)).toMatchObject({ ok: true, responseBody: 'ok' })
    } finally {
      setDefaultCACertificates(usual)
      server.close()
      await once(server, 'close')
    }
  })

  test('is IPv6 in brackets', async () => {
    await using out = await behind()
    await out.sender.attempt(to('http://[2606:4700::1]:81/'), within)
    expect(out.proxy.asked[0]?.target).toBe('[2606:4700::1]:81')
  })
})

describe('the guard', () => {
  test.each(['127.0.0.1', '[::1]', '10.1.2.3', 'localhost', 'x.localhost', '169.254.169.254'])(
    'still refuses what the URL itself says: %s',
    async (host) => {
      await using out = await behind()
      const url = `http://${host}/`
      expect(await out.sender.attempt(to(url), within)).toMatchObject({
        error: 'address_forbidden',
      })
      expect(await out.sender.whyForbidden(url)).toContain('OFFHOOK_ALLOW_ADDRESSES')
      expect(out.proxy.asked).toEqual([])
    },
  )

  test('asks no name server, on save neither', async () => {
    await using out = await behind()
    expect(await out.sender.whyForbidden('http://hooks.example/')).toBeNull()
  })
})

describe('failures', () => {
  const attempt = async (options: ConnectProxyOptions) => {
    await using out = await behind(options)
    return await out.sender.attempt(to('http://hooks.example:81/'), within)
  }

  test.each([
    [502, 'connect_refused', 'The proxy could not connect to hooks.example:81 (502 Bad Gateway).'],
    [503, 'connect_refused', 'The proxy could not connect to hooks.example:81 (503 Service Un'],
    [504, 'connect_timeout', 'The proxy could not connect to hooks.example:81 (504 Gateway Time'],
    [403, 'address_forbidden', 'The proxy refuses to connect to hooks.example:81 (403 Forbidden).'],
    [407, 'address_forbidden', 'The proxy refuses to connect to hooks.example:81 (407 Proxy Auth'],
  ])('%i is said of the receiver: %s', async (status, error, sentence) => {
    const outcome = await attempt({ refuse: { status } })
    expect(outcome).toMatchObject({ ok: false, error, statusCode: null })
    expect(outcome.errorDetail).toContain(sentence)
  })

  test.each([
    [407, { 'Proxy-Authenticate': 'Basic realm="x"' }],
    [400, {}],
    [429, {}],
    [500, {}],
  ])('%i is ours', async (status, headers) => {
    await expect(attempt({ refuse: { status, headers } })).rejects.toThrow(
      `The proxy answered ${status}`,
    )
  })

  test('a tunnel that does not come is the receiver’s time', async () => {
    await using out = await behind({ refuse: { status: null } })
    const limits = { timeoutMs: 300 }
    expect(await out.sender.attempt(to('http://hooks.example/'), limits)).toMatchObject({
      error: 'connect_timeout',
      errorDetail: 'No connection to hooks.example within 0.3 s.',
    })
  })

  test('a proxy that is not there, or is none, is ours', async () => {
    const gone = await startConnectProxy()
    await gone[Symbol.asyncDispose]()
    await using sender = sending({ proxy: proxyOf(gone.url) })
    await expect(sender.attempt(to('http://hooks.example/'), within)).rejects.toThrow(
      'The proxy cannot be reached',
    )
    await using mail = await peer({ talk: (socket) => socket.end('220 mail.example ESMTP\r\n') })
    await using other = sending({ proxy: proxyOf(mail.url) })
    await expect(other.attempt(to('http://hooks.example/'), within)).rejects.toThrow(
      'The proxy cannot be reached',
    )
  })
})

test.each([
  ['http://proxy.example', { host: 'proxy.example', port: 80, secure: false, authorization: null }],
  ['https://proxy.example:8443', { host: 'proxy.example', port: 8443, secure: true }],
  ['http://[::1]:3128', { host: '::1', port: 3128 }],
])('%s is read as a setting', (text, proxy) => {
  expect(proxyOf(text)).toMatchObject(proxy)
})
