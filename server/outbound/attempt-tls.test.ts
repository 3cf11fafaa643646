import { once } from 'node:events'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, type Issued, makeAuthority } from '#test/support/authority.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { listening, peer, portOf, sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let authority: Authority
let issued: Issued
beforeAll(async () => {
  authority = await makeAuthority()
  issued = await authority.issue('localhost', ['DNS:localhost', 'IP:::1'])
})
afterAll(async () => await authority[Symbol.asyncDispose]())

/** A receiver with a certificate for `localhost` and `::1` of the test's own authority. */
async function secureReceiver(options: ServerOptions = {}, host = '127.0.0.1') {
  const requests: string[] = []
  const clients: string[] = []
  const own = { key: issued.privateKey, cert: issued.certificate }
  const server = createTlsServer({ ...own, ...options }, (request, response) => {
    requests.push(request.url ?? '')
    clients.push(String((request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? ''))
    response.end('ok')
  })
  await listening(server, host)
  return {
    port: portOf(server),
    requests,
    /** The name in the certificate that each request came with. */
    clients,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const trusting = (client: Issued | null = null) => ({
  ...within,
  identity: { ca: [authority.certificate], client },
})

describe('TLS', () => {
  test('a certificate that nobody vouches for is refused before anything is sent', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const outcome = await sender.attempt(to(`https://localhost:${receiver.port}/`), within)
    expect(outcome).toMatchObject({ ok: false, error: 'tls' })
    expect(outcome.errorDetail).toContain('UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    expect(receiver.requests).toEqual([])
  })

  test('a trusted authority makes it good, for the names of the certificate', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const limits = trusting()
    const good = await sender.attempt(to(`https://localhost:${receiver.port}/`), limits)
    expect(good).toMatchObject({ ok: true, responseBody: 'ok', httpVersion: '1.1' })
    const other = await sender.attempt(to(`https://127.0.0.1:${receiver.port}/`), limits)
    expect(other).toMatchObject({ ok: false, error: 'tls' })
    expect(other.errorDetail).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(receiver.requests).toHaveLength(1)
  })

  test('who trusts another authority shares no connection with who does', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const url = `https://localhost:${receiver.port}/`
    expect(await sender.attempt(to(url), trusting())).toMatchObject({ ok: true })
    expect(await sender.attempt(to(url), within)).toMatchObject({ error: 'tls' })
    await using another = await makeAuthority('Another')
    const identity = { ca: [another.certificate], client: null }
    expect(await sender.attempt(to(url), { ...within, identity })).toMatchObject({ error: 'tls' })
    expect(receiver.requests).toHaveLength(1)
  })

  test('own authorities are trusted beside the usual ones', async () => {
    const { secureContextOf } = await import('#server/outbound/tls-identity.ts')
    const { getCACertificates } = await import('node:tls')
    expect(getCACertificates('default').length).toBeGreaterThan(50)
    expect(() => secureContextOf({ ca: [authority.certificate], client: null })).not.toThrow()
  })

  test('https:// to a server without TLS says so', async () => {
    await using receiver = await startReceiver()
    await using sender = sending()
    const url = receiver.url.replace('http:', 'https:')
    const outcome = await sender.attempt(to(url), within)
    expect(outcome).toMatchObject({ error: 'tls' })
    expect(outcome.errorDetail).toContain('does not speak TLS')
  })

  test('http:// to a server with TLS', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const outcome = await sender.attempt(to(`http://localhost:${receiver.port}/`), within)
    expect(outcome.ok).toBe(false)
    expect(outcome.error).toMatch(/^(connection_lost|response_invalid)$/)
  })

  test('a handshake that does not end, and one that is broken off', async () => {
    await using silent = await peer()
    await using sender = sending()
    const url = silent.url.replace('http:', 'https:')
    const host = new URL(url).host
    expect(await sender.attempt(to(url), { timeoutMs: 200 })).toMatchObject({
      error: 'tls',
      errorDetail: `${host} did not complete the TLS handshake within 0.2 s.`,
    })
    await waitUntil(() => silent.sockets[0]?.destroyed, { what: 'the end of the connection' })
    await using rude = await peer({ asked: (socket) => socket.destroy() })
    expect(await sender.attempt(to(rude.url.replace('http:', 'https:')), within)).toMatchObject({
      error: 'tls',
    })
  })
})

describe('a certificate of our own (mTLS)', () => {
  const asking = () => ({ requestCert: true, ca: authority.certificate })

  test('is shown to a receiver that asks for it', async () => {
    await using receiver = await secureReceiver(asking())
    await using sender = sending()
    const client = await authority.issue('offhook', ['DNS:offhook.example'])
    const url = `https://localhost:${receiver.port}/`
    expect(await sender.attempt(to(url), trusting(client))).toMatchObject({ ok: true })
    expect(receiver.clients).toEqual(['offhook'])
  })

  test('each webhook shows its own, also one after the other to one receiver', async () => {
    await using receiver = await secureReceiver(asking())
    await using sender = sending()
    const url = `https://localhost:${receiver.port}/`
    const [a, b] = [
      trusting(await authority.issue('a', ['DNS:a'])),
      trusting(await authority.issue('b', ['DNS:b'])),
    ]
    for (const limits of [a, b, a, b]) {
      expect(await sender.attempt(to(url), limits)).toMatchObject({ ok: true })
    }
    expect(receiver.clients).toEqual(['a', 'b', 'a', 'b'])
  })

  test('a receiver that wants one, and gets none or one that it does not know', async () => {
    await using receiver = await secureReceiver(asking())
    await using sender = sending()
    await using another = await makeAuthority('Another')
    const url = `https://localhost:${receiver.port}/`
    const unknown = await another.issue('stranger', ['DNS:stranger'])
    for (const limits of [trusting(), trusting(unknown)]) {
      const outcome = await sender.attempt(to(url), limits)
      expect(outcome).toMatchObject({ ok: false, statusCode: null })
      // By TLS 1.3 the refusal comes after the handshake; Node's server says it by cutting the connection.
      expect(outcome.error).toMatch(/^(tls|connection_lost)$/)
    }
    expect(receiver.requests).toEqual([])
  })
})

describe('IPv6', () => {
  test('http to [::1]', async () => {
    const requests: string[] = []
    const { createServer } = await import('node:http')
    const server = createServer((request, response) => {
      requests.push(request.headers.host ?? '')
      response.end('ok')
    })
    await listening(server, '::1')
    await using sender = sending()
    const url = `http://[::1]:${portOf(server)}/hook`
    expect(await sender.attempt(to(url), within)).toMatchObject({ ok: true, remoteAddress: '::1' })
    expect(requests).toEqual([`[::1]:${portOf(server)}`])
    await sender.close()
    server.close()
    await once(server, 'close')
  })

  test('https to [::1], whose certificate names the address', async () => {
    await using receiver = await secureReceiver({}, '::1')
    await using sender = sending()
    const url = `https://[::1]:${receiver.port}/`
    expect(await sender.attempt(to(url), trusting())).toMatchObject({ ok: true })
  })

  test('a name whose IPv4 address refuses is reached by IPv6', async () => {
    await using receiver = await secureReceiver({}, '::1')
    await using sender = sending()
    const url = `https://localhost:${receiver.port}/`
    expect(await sender.attempt(to(url), trusting())).toMatchObject({
      ok: true,
      remoteAddress: '::1',
    })
  })
})
