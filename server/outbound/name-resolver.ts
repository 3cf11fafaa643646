/**
 * Names of receivers to addresses. Not by `dns.lookup`: that asks the system's library in one of libuv's four threads,
 * so four receivers with a dead name server would stop the look-ups of all others, and every access to a file with
 * them. Questions to DNS go out side by side from the event loop instead; /etc/hosts and the search list of
 * /etc/resolv.conf are heeded as the system does.
 *
 * What only the system's library knows (names of the local network by mDNS and its like) is asked of it, one name at a
 * time, and only where DNS does not know it.
 */
import { Resolver, lookup as systemLookup } from 'node:dns/promises'
import { readFile, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export interface ResolvedAddress {
  readonly address: string
  readonly family: 4 | 6
}

export interface NameResolver {
  /** At least one address, IPv4 before IPv6. Rejects with an error whose `code` says why, such as ENOTFOUND. */
  readonly resolve: (name: string) => Promise<readonly ResolvedAddress[]>
  /** What is being asked rejects. */
  readonly close: () => void
}

export interface NameResolverOptions {
  /** Name servers (`address:port`) instead of those of /etc/resolv.conf. */
  readonly servers?: readonly string[]
  /** Whether the system is asked for what DNS does not know; so it is unless `servers` are given. */
  readonly asksSystem?: boolean
  readonly hostsFile?: string
  readonly configFile?: string
}

/** A question is asked again after this time, then with longer pauses; the connect timeout ends it in any case. */
const dnsTimeoutMs = 2000
const dnsTries = 4
/** Servers that do not answer for one kind of address must not cost those that have the other. */
const otherFamilyMs = 100
/** The two files are looked at this often. */
const filesFreshMs = 2000
/** Codes for "there is no such name", or "no address of this kind". */
const unknown = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME'])

export function createNameResolver({
  servers,
  asksSystem = servers === undefined,
  hostsFile = '/etc/hosts',
  configFile = '/etc/resolv.conf',
}: NameResolverOptions = {}): NameResolver {
  const hosts = watchedFile(hostsFile, parseHosts)
  const config = watchedFile(configFile, (text) => ({
    ...parseResolvConf(text),
    dns: newResolver(servers),
  }))
  const underWay = new Map<string, Promise<readonly ResolvedAddress[]>>()
  let latest: Resolver | null = null
  let systemTurn: Promise<unknown> = Promise.resolve()

  async function fromDns(name: string, absolute: boolean): Promise<readonly ResolvedAddress[]> {
    const { dns, search, ndots } = await config()
    latest = dns
    let error: unknown = null
    for (const candidate of candidatesOf(name, absolute ? [] : search, ndots)) {
      try {
        return await ask(dns, candidate)
      } catch (thrown) {
        if (!unknown.has(codeOf(thrown))) throw thrown
        error ??= thrown
      }
    }
    throw error
  }

  /** One at a time: of the four threads that also read files, this may hold one. */
  async function fromSystem(name: string): Promise<readonly ResolvedAddress[]> {
    const mine = systemTurn.then(() => systemLookup(name, { all: true, order: 'ipv4first' }))
    systemTurn = mine.catch(() => undefined)
    return (await mine) as ResolvedAddress[]
  }

  async function resolve(given: string): Promise<readonly ResolvedAddress[]> {
    const absolute = given.endsWith('.')
    const name = (absolute ? given.slice(0, -1) : given).toLowerCase()
    // RFC 6761: never a matter of DNS.
    if (name === 'localhost' || name.endsWith('.localhost')) return loopback
    const listed = (await hosts()).get(name)
    if (listed !== undefined) return listed
    try {
      return await fromDns(name, absolute)
    } catch (error) {
      const local = !name.includes('.') || name.endsWith('.local')
      if (!local || !asksSystem || !unknown.has(codeOf(error))) throw error
      return await fromSystem(name)
    }
  }

  return {
    resolve(name) {
      const known = underWay.get(name)
      if (known !== undefined) return known
      const asked = resolve(name).finally(() => underWay.delete(name))
      underWay.set(name, asked)
      return asked
    },
    close: () => latest?.cancel(),
  }
}

const loopback: readonly ResolvedAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

function newResolver(servers: readonly string[] | undefined): Resolver {
  const dns = new Resolver({ timeout: dnsTimeoutMs, tries: dnsTries })
  if (servers !== undefined) dns.setServers(servers)
  return dns
}

/** Both kinds of address at once; the one that is later than the other gets a little time. */
async function ask(dns: Resolver, name: string): Promise<readonly ResolvedAddress[]> {
  const found: Record<4 | 6, ResolvedAddress[]> = { 4: [], 6: [] }
  const asking = ([4, 6] as const).map(async (family) => {
    const addresses = await (family === 4 ? dns.resolve4(name) : dns.resolve6(name))
    found[family] = addresses.map((address) => ({ address, family }))
  })
  const both = Promise.allSettled(asking)
  try {
    await Promise.any(asking)
  } catch {
    const errors = (await both).map((result) =>
      result.status === 'rejected' ? result.reason : null,
    )
    // A server that fails says more than one that knows no address of a kind.
    throw errors.find((error) => !unknown.has(codeOf(error))) ?? errors[0]
  }
  await Promise.race([both, pause(otherFamilyMs)])
  return [...found[4], ...found[6]]
}

/** The names to ask for, in the order of the system: with enough dots the name itself first. */
function candidatesOf(name: string, search: readonly string[], ndots: number): readonly string[] {
  const longer = search.map((domain) => `${name}.${domain}`)
  return name.split('.').length > ndots ? [name, ...longer] : [...longer, name]
}

type Hosts = ReadonlyMap<string, readonly ResolvedAddress[]>

function parseHosts(text: string): Hosts {
  const hosts = new Map<string, ResolvedAddress[]>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    const family = isIP(address)
    if (family !== 4 && family !== 6) continue
    for (const name of names) {
      const key = name.toLowerCase()
      hosts.set(key, [...(hosts.get(key) ?? []), { address, family }])
    }
  }
  for (const addresses of hosts.values()) addresses.sort((a, b) => a.family - b.family)
  return hosts
}

interface ResolvConf {
  readonly search: readonly string[]
  readonly ndots: number
}

function parseResolvConf(text: string): ResolvConf {
  let search: readonly string[] = []
  let ndots = 1
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    // The last of them counts, as with the system.
    if (word === 'search' || word === 'domain') search = rest.map((d) => d.replace(/\.$/, ''))
    if (word !== 'options') continue
    const dots = rest.find((option) => option.startsWith('ndots:'))
    if (dots !== undefined) ndots = Number(dots.slice('ndots:'.length))
  }
  return { search: search.filter((domain) => domain !== ''), ndots }
}

/** What a file says, read again when it has changed. One that is not there or cannot be read is empty. */
function watchedFile<T>(path: string, parse: (text: string) => T): () => Promise<T> {
  let known: { readonly changed: string; readonly value: T } | null = null
  let lookedAt = Number.NEGATIVE_INFINITY

  async function read(): Promise<T> {
    const changed = await stat(path).then(
      ({ mtimeMs, ino, size }) => `${mtimeMs} ${ino} ${size}`,
      () => '',
    )
    if (known?.changed !== changed) {
      known = { changed, value: parse(await readFile(path, 'utf8').catch(() => '')) }
    }
    lookedAt = performance.now()
    return known.value
  }
  let reading: Promise<T> | null = null
  return async () => {
    if (known !== null && performance.now() - lookedAt < filesFreshMs) return known.value
    reading ??= read().finally(() => {
      reading = null
    })
    return await reading
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : ''
}
