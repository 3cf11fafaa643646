import nodeDns from 'node:dns'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getGlobalDispatcher, interceptors, request, setGlobalDispatcher } from 'undici'
import { describe, expect, test, vi } from 'vitest'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { parseAddressRanges } from '#server/domain/address-policy.ts'
import { createNameResolver } from '#server/outbound/name-resolver.ts'
import { type DnsZone, startDnsServer } from '#test/support/dns-server.ts'
import { startReceiver } from '#test/support/receiver.ts'
import {
  listening,
  loopbackPolicy,
  ok,
  peer,
  portOf,
  sending,
  to,
  within,
} from '#test/support/sending.ts'

/*
 * The known ways around such a guard, and where each is tried:
 *
 *   decimal, octal, hex, short IPv4; full-width digits; trailing dot, mixed case ─┐
 *   mapped, compatible, SIIT, ISATAP, 6to4, NAT64, Teredo IPv6; userinfo ─────────┴ "http://%s/ is refused …"
 *   zone ids ───────────────────────── "http://[fe80::1%25eth0]/ is no URL"
 *   mixed answers, CNAME, AAAA only ── "one that leads to %s is refused"
 *   DNS rebinding, TTL 0 ───────────── "a name is resolved once …", "one that changes afterwards …"
 *   redirects ──────────────────────── "a redirect to a forbidden address is not followed"
 *   proxy variables ────────────────── "variables that name a proxy are not heeded"
 *   DNS interceptor, other look-ups ── "whatever else resolves names in this process is not asked"
 *   keep-alive after a change ──────── "connections that another policy opened are not used"
 *   Unix sockets ───────────────────── "%s leads to no Unix socket", "no option of a request names a Unix socket"
 *
 * The same blocks one by one: domain/address-policy.test.ts. A started Offhook: test/cli/receivers-of-this-machine.test.ts.
 *
 * What must not be reached is a real server on 127.0.0.1; it counts connections. Where a test needs an address that
 * requests may go to, that is 127.0.0.2, which stands for the Internet.
 */

const guarded = { policy: { allow: [], deny: [] } }
const internet = '127.0.0.2'
const asInternet = { policy: { allow: parseAddressRanges(internet), deny: [] } }

/** A server on one address, or, for `::`, on all of them. */
async function secretServer(host = '127.0.0.1') {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => {})
    socket.on('data', () => socket.end(ok))
  })
  await listening(server, host)
  return {
    port: portOf(server),
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

/** A sender whose names mean what the zone says. */
async function namedBy(zone: DnsZone) {
  const parts = new AsyncDisposableStack()
  const dns = parts.use(await startDnsServer(zone))
  const resolver = createNameResolver({ servers: [dns.address] })
  const sender = parts.use(sending({ ...asInternet, resolver }))
  return { sender, dns, [Symbol.asyncDispose]: async () => await parts.disposeAsync() }
}

describe('addresses in the URL', () => {
  test.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0x7f000001',
    '0177.0.0.1',
    '127.0.0.1.',
    '0',
    '0.0.0.0',
    '１２７.０.０.１',
    '127。0。0。1',
    '%31%32%37.0.0.1',
    'example.com@127.0.0.1',
    'example.com:80@127.0.0.1',
    'example.com%2F@127.0.0.1',
    'localhost',
    'LocalHost.',
    'anything.localhost',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::7f00:1]',
    '[::ffff:0:127.0.0.1]',
    '[::5efe:127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
  ])('http://%s/ is refused on save and on send, before anything is connected', async (host) => {
    await using secret = await secretServer('::')
    await using sender = sending(guarded)
    const url = `http://${host}:${secret.port}/latest/meta-data`
    const outcome = await sender.attempt(to(url), within)
    expect(outcome).toMatchObject({ ok: false, error: 'address_forbidden', statusCode: null })
    expect(outcome.errorDetail).toContain('OFFHOOK_ALLOW_ADDRESSES')
    expect(await sender.whyForbidden(url)).toContain('OFFHOOK_ALLOW_ADDRESSES')
    expect(secret.connections()).toBe(0)
  })

  test('a port of another protocol is refused, also where the address is allowed', async () => {
    await using sender = sending()
    expect(await sender.attempt(to('http://127.0.0.1:5060/'), within)).toMatchObject({
      error: 'address_forbidden',
      errorDetail: expect.stringContaining('Port 5060 belongs to another protocol'),
    })
  })

  test('http://[fe80::1%25eth0]/ is no URL', () => {
    expect(URL.canParse('http://[fe80::1%25eth0]/')).toBe(false)
  })
})

describe('names', () => {
  test.each([
    ['a private address', { addresses: ['127.0.0.1'] }],
    ['a private address among others', { addresses: [internet, '127.0.0.1'] }],
    ['an IPv6 address of this machine only', { addresses: ['::1'] }],
    ['IPv4 of the Internet and IPv6 of this machine', { addresses: [internet, '::1'] }],
    ['another name inside', { cname: 'db.internal.example', addresses: ['127.0.0.1'] }],
  ])('one that leads to %s is refused', async (_, reply) => {
    await using secret = await secretServer('::')
    await using named = await namedBy(() => reply)
    const url = `http://hooks.example:${secret.port}/`
    const outcome = await named.sender.attempt(to(url), within)
    expect(outcome.error).toBe('address_forbidden')
    expect(outcome.errorDetail).toMatch(/^hooks\.example leads to (127\.0\.0\.1|::1), which is an/)
    expect(await named.sender.whyForbidden(url)).toBe(outcome.errorDetail)
    expect(secret.connections()).toBe(0)
  })

  test('a name is resolved once for a connection, so it cannot change in between', async () => {
    await using secret = await secretServer()
    let asked = 0
    await using named = await namedBy((_, kind) => {
      asked += kind === 'A' ? 1 : 0
      return { addresses: [asked === 1 ? internet : '127.0.0.1'] }
    })
    // Nobody listens on that port of 127.0.0.2: a second look at the name would have led to the secret.
    const outcome = await named.sender.attempt(to(`http://hooks.example:${secret.port}/`), within)
    expect(outcome).toMatchObject({ error: 'connect_refused' })
    expect(named.dns.questions.filter((question) => question.startsWith('A '))).toHaveLength(1)
    expect(secret.connections()).toBe(0)
  })

  test('one that changes afterwards (rebinding, TTL 0) is refused at the next connection', async () => {
    await using secret = await secretServer()
    const receiver = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => socket.end(ok))
    })
    receiver.listen(secret.port, internet)
    await once(receiver, 'listening')
    let address = internet
    await using named = await namedBy(() => ({ addresses: [address] }))
    const url = `http://hooks.example:${secret.port}/`
    expect(await named.sender.whyForbidden(url)).toBeNull()
    expect(await named.sender.attempt(to(url), within)).toMatchObject({
      ok: true,
      remoteAddress: internet,
    })
    address = '127.0.0.1'
    expect(await named.sender.attempt(to(url), within)).toMatchObject({
      error: 'address_forbidden',
    })
    expect(secret.connections()).toBe(0)
    receiver.close()
    await once(receiver, 'close')
  })

  test('one that cannot be resolved now may be saved: the send looks again', async () => {
    await using named = await namedBy(() => ({}))
    expect(await named.sender.whyForbidden('https://later.example/')).toBeNull()
  })

  test('one whose name server is silent does not hold up the save for long', async () => {
    await using named = await namedBy(() => null)
    const began = performance.now()
    expect(await named.sender.whyForbidden('https://later.example/')).toBeNull()
    expect(performance.now() - began).toBeLessThan(4500)
  })
})

describe('beside the name', () => {
  test('the peer is looked at before anything is sent to it', async () => {
    await using receiver = await peer()
    const asked: string[] = []
    const alsoAllowed = async (address: string) => asked.push(address) === 1
    await using sender = sending({ ...guarded, alsoAllowed })
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({
      error: 'address_forbidden',
    })
    expect(asked).toEqual(['127.0.0.1', '127.0.0.1'])
    expect(receiver.received()).toBe('')
  })

  test('a redirect to a forbidden address is not followed', async () => {
    await using secret = await secretServer()
    await using receiver = await startReceiver({
      respond: () => ({ status: 307, headers: { location: `http://localhost:${secret.port}/` } }),
    })
    await using sender = sending()
    expect(await sender.attempt(to(receiver.url), within)).toMatchObject({ error: 'redirect' })
    expect(secret.connections()).toBe(0)
  })

  test('variables that name a proxy are not heeded', async () => {
    await using secret = await secretServer()
    await using receiver = await startReceiver()
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']
    for (const name of names) process.env[name] = `http://127.0.0.1:${secret.port}`
    try {
      await using sender = sending()
      expect(await sender.attempt(to(receiver.url), within)).toMatchObject({ ok: true })
    } finally {
      for (const name of names) delete process.env[name]
    }
    expect(secret.connections()).toBe(0)
  })

  test('whatever else resolves names in this process is not asked', async () => {
    await using secret = await secretServer()
    await using named = await namedBy(() => ({ addresses: [internet] }))
    const toSecret = { address: '127.0.0.1', family: 4 as const }
    const before = getGlobalDispatcher()
    const dns = interceptors.dns({
      lookup: (_origin, _options, callback) => callback(null, [{ ...toSecret, ttl: 60_000 }]),
    })
    setGlobalDispatcher(before.compose(dns))
    const lookup = vi
      .spyOn(nodeDns, 'lookup')
      .mockImplementation(((
        _name: string,
        _options: object,
        callback: (error: null, found: object) => void,
      ) => callback(null, [toSecret])) as never)
    try {
      const url = `http://hooks.example:${secret.port}/`
      // The interceptor is there, and leads who asks it to the secret.
      expect((await request(url)).statusCode).toBe(200)
      expect(secret.connections()).toBe(1)
      const outcome = await named.sender.attempt(to(url), within)
      expect(outcome).toMatchObject({ error: 'connect_refused' })
    } finally {
      setGlobalDispatcher(before)
      lookup.mockRestore()
    }
    expect(secret.connections()).toBe(1)
  })

  test('connections that another policy opened are not used', async () => {
    await using receiver = await startReceiver()
    await using before = sending({ policy: loopbackPolicy })
    expect(await before.attempt(to(receiver.url), within)).toMatchObject({ ok: true })
    await using after = sending(guarded)
    expect(await after.attempt(to(receiver.url), within)).toMatchObject({
      error: 'address_forbidden',
    })
    expect(receiver.requests).toHaveLength(1)
  })
})

describe('Unix sockets', () => {
  /** An HTTP server that only a path leads to. */
  async function pathServer() {
    const folder = await mkdtemp(join(tmpdir(), 'offhook-socket-'))
    const path = join(folder, 'secret.sock')
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.on('error', () => {})
      socket.on('data', () => socket.end(ok))
    }).listen(path)
    await once(server, 'listening')
    return {
      path,
      connections: () => connections,
      async [Symbol.asyncDispose]() {
        server.close()
        await once(server, 'close')
        await rm(folder, { recursive: true })
      },
    }
  }

  test.each([
    'unix:PATH',
    'unix://PATH',
    'http+unix://ENCODED/',
    'http://unix:PATH:/',
    'http://unixPATH',
    'http://localhostPATH',
    'file://PATH',
  ])('%s leads to no Unix socket', async (form) => {
    await using secret = await pathServer()
    const { path } = secret
    const url = form.replace('PATH', path).replace('ENCODED', encodeURIComponent(path))
    const draft = { name: 'receiver', url, triggers: ['call.ended'] }
    const saved = WebhookDraft.safeParse(draft).success
    await using named = await namedBy(() => ({}))
    const outcome = named.sender.attempt(to(url), within)
    // What can be saved is taken for the name of a host.
    if (saved) expect((await outcome).error).toMatch(/^(dns|address_forbidden)$/)
    else await expect(outcome).rejects.toThrow()
    expect(saved).toBe(form.startsWith('http:'))
  })

  test('no option of a request names a Unix socket', async () => {
    await using secret = await pathServer()
    await using receiver = await startReceiver()
    await using sender = sending()
    const options = { socketPath: secret.path, connect: { socketPath: secret.path } }
    expect(await sender.attempt({ ...to(receiver.url), ...options }, within)).toMatchObject({
      ok: true,
    })
    expect(receiver.requests).toHaveLength(1)
    expect(secret.connections()).toBe(0)
  })
})
