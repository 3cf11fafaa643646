/**
 * Which addresses requests may go to. Whoever may create a webhook chooses where this machine connects to; without a
 * rule that reaches the services that trust their network: the cloud's metadata, a database, a router.
 *
 *   deny list ──> metadata of clouds ──> allow list ──> special ranges ──> the Internet: allowed
 *
 * The first that knows the address decides. Metadata addresses are allowed only where the allow list names exactly the
 * one address: a range that happens to hold it is not meant that way.
 *
 * Ranges are blocks of the IANA registries rather than lists of tricks: of IPv6 only 2000::/3 is the Internet, so every
 * encoding of an IPv4 address in ::/8 (mapped, compatible, translated) is refused without being decoded. The one
 * exception is 64:ff9b::/96, by which networks without IPv4 reach IPv4 receivers: it has the verdict of the address in it.
 */
import ipaddr, { type IPv4, type IPv6 } from 'ipaddr.js'

export interface AddressPolicy {
  readonly allow: readonly AddressRange[]
  readonly deny: readonly AddressRange[]
}

/** A block of addresses; one address where `bits` is the length of the whole. */
export interface AddressRange {
  readonly first: IPv4 | IPv6
  readonly bits: number
}

/** Nothing but the Internet. */
export const internetOnly: AddressPolicy = { allow: [], deny: [] }

const range = (text: string): AddressRange => {
  const [first, bits] = ipaddr.parseCIDR(text)
  return { first, bits }
}

/** In the order of the look-up: what stands inside of another stands before it. */
const specialRanges: readonly (readonly [AddressRange, string])[] = (
  [
    ['0.0.0.0/8', 'an address of this machine'],
    ['10.0.0.0/8', 'a private address'],
    ['100.64.0.0/10', 'an address inside a carrier’s network'],
    ['127.0.0.0/8', 'an address of this machine'],
    ['169.254.0.0/16', 'a link-local address'],
    ['172.16.0.0/12', 'a private address'],
    ['192.0.0.0/24', 'a reserved address'],
    ['192.0.2.0/24', 'an address for documentation'],
    ['192.88.99.0/24', 'a reserved address'],
    ['192.168.0.0/16', 'a private address'],
    ['198.18.0.0/15', 'an address for measurements'],
    ['198.51.100.0/24', 'an address for documentation'],
    ['203.0.113.0/24', 'an address for documentation'],
    ['224.0.0.0/4', 'a multicast address'],
    ['240.0.0.0/4', 'a reserved address'],
    ['::1/128', 'an address of this machine'],
    ['64:ff9b::/32', 'an address of a translator'],
    ['::/8', 'a reserved address'],
    ['2001::/23', 'a reserved address'],
    ['2001:db8::/32', 'an address for documentation'],
    ['2002::/16', 'an address of a tunnel'],
    ['3fff::/20', 'an address for documentation'],
    ['fc00::/7', 'a private address'],
    ['fe80::/10', 'a link-local address'],
    ['fec0::/10', 'a private address'],
    ['ff00::/8', 'a multicast address'],
  ] as const
).map(([text, what]) => [range(text), `${what} (${text})`])

const internetOfIpv6 = range('2000::/3')
/** RFC 6052. */
const nat64 = range('64:ff9b::/96')
const ipv4Mapped = range('::ffff:0:0/96')

/** Where clouds give credentials to whoever asks from the machine. 168.63.129.16 and 192.0.0.192 look like others. */
const metadataAddresses = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  'fe80::a9fe:a9fe',
].map((text) => ipaddr.parse(text).toNormalizedString())

/**
 * Why requests must not go to the address, as the rest of a sentence: `is a private address (10.0.0.0/8); …`. Null:
 * they may. A text that is no address is refused.
 */
export function whyForbidden(address: string, policy: AddressPolicy): string | null {
  const parsed = parseAddress(address)
  if (parsed === null) return 'is not an IP address'
  if (policy.deny.some((denied) => contains(denied, parsed))) {
    return 'is refused by OFFHOOK_DENY_ADDRESSES'
  }
  const translated = carriedIn(nat64, parsed)
  if (translated !== null) return whyCarriedForbidden(translated, policy)
  const allowed = policy.allow.filter((range) => contains(range, parsed))
  if (metadataAddresses.includes(parsed.toNormalizedString())) {
    return allowed.some(isOneAddress)
      ? null
      : `is the metadata service of a cloud, which hands out credentials; it is reached only where OFFHOOK_ALLOW_ADDRESSES names exactly ${address}`
  }
  if (allowed.length > 0) {
    // The kernel connects a mapped address over IPv4: allowing ::/0 must not allow all of that too.
    const mapped = carriedIn(ipv4Mapped, parsed)
    return mapped === null ? null : whyCarriedForbidden(mapped, policy)
  }
  const what = specialName(parsed)
  return what === null
    ? null
    : `is ${what}; the administrator can allow it: OFFHOOK_ALLOW_ADDRESSES=${address}`
}

function whyCarriedForbidden(carried: string, policy: AddressPolicy): string | null {
  const why = whyForbidden(carried, policy)
  return why === null ? null : `stands for ${carried}, which ${why}`
}

/**
 * Where a PBX may be: inside as a rule, so anywhere but where it is denied, and where clouds hand out credentials.
 */
export function pbxPolicy(deny: readonly AddressRange[]): AddressPolicy {
  return { allow: parseAddressRanges('0.0.0.0/0, ::/0'), deny }
}

/** A list as settings have it: addresses and blocks, separated by commas or spaces. Throws what is wrong with it. */
export function parseAddressRanges(text: string): readonly AddressRange[] {
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map(parseRange)
}

function parseRange(text: string): AddressRange {
  const [address = '', length, ...rest] = text.split('/')
  const first = parseAddress(address)
  const whole = first?.kind() === 'ipv4' ? 32 : 128
  const bits = length === undefined ? whole : /^\d{1,3}$/.test(length) ? Number(length) : -1
  if (first === null || rest.length > 0 || bits < 0 || bits > whole) {
    throw new Error(`${text} is neither an address nor a block such as 10.0.0.0/8`)
  }
  const cut = range(`${first.toNormalizedString()}/${bits}`)
  const start = networkOf(cut)
  if (start.toNormalizedString() !== first.toNormalizedString()) {
    throw new Error(`${text} is no block of addresses; did you mean ${start}/${bits}?`)
  }
  return cut
}

function networkOf({ first, bits }: AddressRange): IPv4 | IPv6 {
  const text = `${first.toNormalizedString()}/${bits}`
  return first.kind() === 'ipv4'
    ? ipaddr.IPv4.networkAddressFromCIDR(text)
    : ipaddr.IPv6.networkAddressFromCIDR(text)
}

/** Only the usual forms: four decimal parts, or IPv6. The others (octal, hex, short) a URL has turned into these. */
function parseAddress(text: string): IPv4 | IPv6 | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text)
  // A zone (fe80::1%eth0) is of this machine only; the address decides.
  const [address = ''] = text.split('%')
  return ipaddr.IPv6.isValid(address) && address.includes(':') ? ipaddr.IPv6.parse(address) : null
}

function contains({ first, bits }: AddressRange, address: IPv4 | IPv6): boolean {
  return first.kind() === address.kind() && address.match(first, bits)
}

function isOneAddress({ first, bits }: AddressRange): boolean {
  return bits === (first.kind() === 'ipv4' ? 32 : 128)
}

/** The IPv4 address in the last 32 bits of an IPv6 address of the block; null: it is not of the block. */
function carriedIn(block: AddressRange, address: IPv4 | IPv6): string | null {
  if (!contains(block, address)) return null
  return ipaddr.fromByteArray(address.toByteArray().slice(12)).toString()
}

function specialName(address: IPv4 | IPv6): string | null {
  const known = specialRanges.find(([block]) => contains(block, address))
  if (known !== undefined) return known[1]
  if (address.kind() === 'ipv4' || contains(internetOfIpv6, address)) return null
  return 'not an address of the Internet (2000::/3)'
}
