import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startReceiver } from '#test/support/receiver.ts'
import { listening, peer, portOf, sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

describe('TLS', () => {
  let folder = ''
  let cert = ''
  let key = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'offhook-tls-'))
    const paths = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const files = ['-keyout', paths.key, '-out', paths.cert, '-days', '1']
    await promisify(execFile)('openssl', ['req', ...kind, ...files, ...subject])
    key = await readFile(paths.key, 'utf8')
    cert = await readFile(paths.cert, 'utf8')
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  async function secureReceiver() {
    const requests: string[] = []
    const server = createTlsServer({ key, cert }, (request, response) => {
      requests.push(request.url ?? '')
      response.end('ok')
    })
    await listening(server)
    return {
      port: portOf(server),
      requests,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      },
    }
  }

  test('a certificate that nobody vouches for is refused before anything is sent', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const outcome = await sender.attempt(to(`https://localhost:${receiver.port}/`), within)
    expect(outcome).toMatchObject({ ok: false, error: 'tls' })
    expect(outcome.errorDetail).toContain('self-signed certificate')
    expect(receiver.requests).toEqual([])
  })

  test('a trusted authority makes it good, for the names of the certificate', async () => {
    await using receiver = await secureReceiver()
    await using sender = sending()
    const trusting = { ...within, identity: { ca: [cert], client: null } }
    const good = await sender.attempt(to(`https://localhost:${receiver.port}/`), trusting)
    expect(good).toMatchObject({ ok: true, responseBody: 'ok' })
    const other = await sender.attempt(to(`https://127.0.0.1:${receiver.port}/`), trusting)
    expect(other).toMatchObject({ ok: false, error: 'tls' })
    expect(other.errorDetail).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(receiver.requests).toHaveLength(1)
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
