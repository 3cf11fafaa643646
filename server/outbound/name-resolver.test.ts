import { lookup } from 'node:dns/promises'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createNameResolver } from '#server/outbound/name-resolver.ts'
import { type DnsZone, startDnsServer } from '#test/support/dns-server.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { sending, to, within } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

/** A resolver that asks a server of the test, with files of the test. */
async function resolving(zone: DnsZone, files: { hosts?: string; config?: string } = {}) {
  const parts = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'offhook-names-'))
  parts.defer(async () => await rm(folder, { recursive: true, force: true }))
  const hostsFile = join(folder, 'hosts')
  const configFile = join(folder, 'resolv.conf')
  await writeFile(hostsFile, files.hosts ?? '')
  await writeFile(configFile, files.config ?? '')
  const dns = parts.use(await startDnsServer(zone))
  const resolver = createNameResolver({ servers: [dns.address], hostsFile, configFile })
  parts.defer(resolver.close)
  return {
    ...resolver,
    hostsFile,
    questions: dns.questions,
    [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
  }
}

const four = (address: string) => ({ address, family: 4 })
const six = (address: string) => ({ address, family: 6 })

describe('DNS', () => {
  test('all addresses of both kinds, IPv4 first', async () => {
    await using names = await resolving(() => ({ addresses: ['2606::1', '1.1.1.1', '1.0.0.1'] }))
    expect(await names.resolve('crm.example')).toEqual([
      four('1.1.1.1'),
      four('1.0.0.1'),
      six('2606::1'),
    ])
  })

  test('one kind is enough', async () => {
    await using names = await resolving(() => ({ addresses: ['2606::1'] }))
    expect(await names.resolve('crm.example')).toEqual([six('2606::1')])
  })

  test('a server that never answers for IPv6 does not hold up IPv4', async () => {
    await using names = await resolving((_, kind) =>
      kind === 'A' ? { addresses: ['1.1.1.1'] } : null,
    )
    const began = performance.now()
    expect(await names.resolve('crm.example')).toEqual([four('1.1.1.1')])
    expect(performance.now() - began).toBeLessThan(1500)
  })

  test('another name is followed', async () => {
    await using names = await resolving(() => ({ cname: 'lb.example', addresses: ['1.1.1.1'] }))
    expect(await names.resolve('crm.example')).toContainEqual(four('1.1.1.1'))
  })

  test('what is not there, and a server that fails', async () => {
    await using names = await resolving((name) => (name === 'bad.example' ? { fails: true } : {}))
    await expect(names.resolve('no.example')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    await expect(names.resolve('bad.example')).rejects.toMatchObject({ code: 'ESERVFAIL' })
  })

  test('nothing is remembered: an answer of TTL 0 counts once', async () => {
    let last = 0
    await using names = await resolving((_, kind) => {
      last += kind === 'A' ? 1 : 0
      return { addresses: [`1.1.1.${last}`] }
    })
    expect(await names.resolve('crm.example')).toEqual([four('1.1.1.1')])
    expect(await names.resolve('crm.example')).toEqual([four('1.1.1.2')])
  })

  test('those who ask at the same time share one question', async () => {
    await using names = await resolving(() => ({ addresses: ['1.1.1.1'], delayMs: 50 }))
    await Promise.all(Array.from({ length: 20 }, () => names.resolve('crm.example')))
    expect(names.questions).toHaveLength(2)
  })
})

describe('the files of the system', () => {
  test('/etc/hosts goes before DNS, and is read again when it changes', async () => {
    const hosts = '# mine\n10.0.0.9 crm.local CRM # the one\nfd00::9 crm.local\n'
    await using names = await resolving(() => ({}), { hosts })
    expect(await names.resolve('Crm.Local')).toEqual([four('10.0.0.9'), six('fd00::9')])
    expect(await names.resolve('crm')).toEqual([four('10.0.0.9')])
    expect(names.questions).toEqual([])
    await writeFile(names.hostsFile, '10.0.0.10 crm.local new\n')
    await waitUntil(
      async () => (await names.resolve('crm.local').catch(() => []))[0]?.address === '10.0.0.10',
      { what: 'the new hosts file counts' },
    )
  })

  test('localhost is this machine, whatever DNS says', async () => {
    await using names = await resolving(() => ({ addresses: ['1.1.1.1'] }))
    for (const name of ['localhost', 'LOCALHOST.', 'a.localhost']) {
      expect(await names.resolve(name)).toEqual([four('127.0.0.1'), six('::1')])
    }
    expect(names.questions).toEqual([])
  })

  test('the search list: short names in its domains first, others after themselves', async () => {
    const config = 'search corp.example. lan.example\noptions timeout:1 ndots:2\n'
    const known = new Set(['crm.lan.example', 'crm.east', 'a.b.corp.example'])
    await using names = await resolving(
      (name) => (known.has(name) ? { addresses: ['1.1.1.1'] } : {}),
      { config },
    )
    const askedFor = async (name: string) => {
      const before = names.questions.length
      await names.resolve(name)
      const questions = names.questions.slice(before).filter((q) => q.startsWith('A '))
      return questions.map((q) => q.slice(2))
    }
    expect(await askedFor('crm')).toEqual(['crm.corp.example', 'crm.lan.example'])
    expect(await askedFor('crm.east')).toEqual([
      'crm.east.corp.example',
      'crm.east.lan.example',
      'crm.east',
    ])
    expect(await askedFor('a.b')).toEqual(['a.b.corp.example'])
    await expect(names.resolve('crm.')).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })
})

describe('what DNS does not know', () => {
  const noHosts = '/nonexistent/hosts'
  /** A short name that the system knows from its own file, which the resolver is not shown here. */
  const known = async () =>
    (await readFile('/etc/hosts', 'utf8'))
      .split('\n')
      .flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/).slice(1))
      .find((name) => !name.includes('.') && !name.includes('localhost'))

  test('the system is asked for, where the name is short', async ({ skip }) => {
    const name = await known()
    if (name === undefined) return skip('the hosts file of this machine names only localhost')
    await using dns = await startDnsServer(() => ({}))
    const resolver = createNameResolver({
      servers: [dns.address],
      asksSystem: true,
      hostsFile: noHosts,
    })
    const found = await resolver.resolve(name)
    expect(found).toEqual(await lookup(name, { all: true, order: 'ipv4first' }))
    expect(dns.questions).toContain(`A ${name}`)
  })
})

describe('a name server that is slow for one receiver', () => {
  test('holds up neither the others nor the files of this process', async () => {
    await using dns = await startDnsServer((name) =>
      name.startsWith('slow')
        ? { addresses: ['127.0.0.1'], delayMs: 1500 }
        : { addresses: ['127.0.0.1'] },
    )
    await using receiver = await startReceiver()
    await using sender = sending({ resolver: createNameResolver({ servers: [dns.address] }) })
    const { port } = new URL(receiver.url)
    const slow = Array.from({ length: 40 }, (_, i) =>
      sender.attempt(to(`http://slow${i}.example:${port}/`), within),
    )
    const began = performance.now()
    for (let i = 0; i < 10; i++) {
      const outcome = await sender.attempt(to(`http://quick${i}.example:${port}/`), within)
      expect(outcome).toMatchObject({ ok: true })
      await readFile('/etc/hosts')
    }
    expect(performance.now() - began).toBeLessThan(1200)
    const late = await Promise.all(slow)
    expect(late.every(({ ok }) => ok)).toBe(true)
    expect(late[0]?.timings.dnsMs).toBeGreaterThanOrEqual(1490)
  })

  test('one that is silent costs the attempt its time, and says so', async () => {
    await using dns = await startDnsServer(() => null)
    await using sender = sending({ resolver: createNameResolver({ servers: [dns.address] }) })
    expect(await sender.attempt(to('http://dead.example/'), { timeoutMs: 300 })).toMatchObject({
      error: 'dns',
      errorDetail: 'The name of dead.example could not be resolved within 0.3 s.',
      timings: { dnsMs: null },
    })
  })

  test('none at all is our own failure: no receiver is blamed for it', async () => {
    const gone = await startDnsServer(() => null)
    await gone[Symbol.asyncDispose]()
    await using sender = sending({ resolver: createNameResolver({ servers: [gone.address] }) })
    await expect(sender.attempt(to('http://crm.example/'), within)).rejects.toThrow(
      'No name server can be reached.',
    )
  })
})
