import { describe, expect, test } from 'vitest'
import {
  type AddressPolicy,
  internetOnly,
  parseAddressRanges,
  pbxPolicy,
  whyForbidden,
} from '#server/domain/address-policy.ts'

const policy = (allow: string, deny = ''): AddressPolicy => ({
  allow: parseAddressRanges(allow),
  deny: parseAddressRanges(deny),
})

describe('without any setting', () => {
  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '93.184.215.14',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a01:4f8::1',
    // 8.8.8.8 as networks without IPv4 reach it
    '64:ff9b::808:808',
  ])('%s is the Internet', (address) => {
    expect(whyForbidden(address, internetOnly)).toBeNull()
  })

  test.each([
    ['0.0.0.0', '0.0.0.0/8'],
    ['0.255.255.255', '0.0.0.0/8'],
    ['10.0.0.0', '10.0.0.0/8'],
    ['10.255.255.255', '10.0.0.0/8'],
    ['100.64.0.0', '100.64.0.0/10'],
    ['100.127.255.255', '100.64.0.0/10'],
    ['127.0.0.1', '127.0.0.0/8'],
    ['127.255.255.255', '127.0.0.0/8'],
    ['169.254.0.1', '169.254.0.0/16'],
    ['172.16.0.0', '172.16.0.0/12'],
    ['172.31.255.255', '172.16.0.0/12'],
    ['192.0.0.1', '192.0.0.0/24'],
    ['192.0.2.1', '192.0.2.0/24'],
    ['192.88.99.1', '192.88.99.0/24'],
    ['192.168.255.255', '192.168.0.0/16'],
    ['198.18.0.0', '198.18.0.0/15'],
    ['198.19.255.255', '198.18.0.0/15'],
    ['198.51.100.7', '198.51.100.0/24'],
    ['203.0.113.7', '203.0.113.0/24'],
    ['224.0.0.1', '224.0.0.0/4'],
    ['239.255.255.255', '224.0.0.0/4'],
    ['240.0.0.1', '240.0.0.0/4'],
    ['255.255.255.255', '240.0.0.0/4'],
    ['::', '::/8'],
    ['::1', '::1/128'],
    // 127.0.0.1 mapped, compatible, by SIIT, by ISATAP
    ['::ffff:127.0.0.1', '::/8'],
    ['::ffff:7f00:1', '::/8'],
    ['::7f00:1', '::/8'],
    ['::ffff:0:7f00:1', '::/8'],
    ['::5efe:7f00:1', '::/8'],
    ['fe80::5efe:7f00:1', 'fe80::/10'],
    ['1::1', '::/8'],
    // the local form of the translation prefix, 6to4, Teredo
    ['64:ff9b:1::7f00:1', '64:ff9b::/32'],
    ['2002:7f00:1::1', '2002::/16'],
    ['2001:0:7f00:1::1', '2001::/23'],
    ['2001:db8::1', '2001:db8::/32'],
    ['100::1', '2000::/3'],
    ['3fff::1', '3fff::/20'],
    ['5f00::1', '2000::/3'],
    ['4000::1', '2000::/3'],
    ['fc00::1', 'fc00::/7'],
    ['fdff::1', 'fc00::/7'],
    ['fe80::1', 'fe80::/10'],
    ['fe80::1%eth0', 'fe80::/10'],
    ['fec0::1', 'fec0::/10'],
    ['ff02::1', 'ff00::/8'],
  ])('%s is not: %s', (address, range) => {
    expect(whyForbidden(address, internetOnly)).toContain(`(${range})`)
  })

  test.each(['', 'localhost', '127.1', '0x7f.0.0.1', '0177.0.0.1', '2130706433', '1.1.1.1:80'])(
    '%j is no address, so it is refused',
    (text) => {
      expect(whyForbidden(text, internetOnly)).toBe('is not an IP address')
    },
  )

  test('the address that a translator carries decides', () => {
    expect(whyForbidden('64:ff9b::a00:1', internetOnly)).toMatch(
      /^stands for 10\.0\.0\.1, which is a private address \(10\.0\.0\.0\/8\)/,
    )
    expect(whyForbidden('64:ff9b::a9fe:a9fe', policy('64:ff9b::/96'))).toContain('metadata')
    expect(whyForbidden('64:ff9b::a00:1', policy('10.0.0.0/8'))).toBeNull()
  })
})

describe('with lists', () => {
  test('what is allowed is so to the edges of its block', () => {
    const mine = policy('10.20.0.0/16, 127.0.0.1 fd12:3400::/24')
    expect(whyForbidden('10.20.0.0', mine)).toBeNull()
    expect(whyForbidden('10.20.255.255', mine)).toBeNull()
    expect(whyForbidden('10.21.0.0', mine)).toContain('10.0.0.0/8')
    expect(whyForbidden('127.0.0.1', mine)).toBeNull()
    expect(whyForbidden('127.0.0.2', mine)).toContain('OFFHOOK_ALLOW_ADDRESSES')
    expect(whyForbidden('fd12:34ff::1', mine)).toBeNull()
    expect(whyForbidden('fd12:3500::1', mine)).toContain('fc00::/7')
  })

  test('a denied address stays so, allowed or on the Internet', () => {
    const mine = policy('10.0.0.0/8, 10.1.2.3', '10.1.2.3, 8.8.0.0/16')
    expect(whyForbidden('10.1.2.3', mine)).toBe('is refused by OFFHOOK_DENY_ADDRESSES')
    expect(whyForbidden('8.8.8.8', mine)).toBe('is refused by OFFHOOK_DENY_ADDRESSES')
    expect(whyForbidden('64:ff9b::808:808', mine)).toContain('OFFHOOK_DENY_ADDRESSES')
    expect(whyForbidden('10.1.2.4', mine)).toBeNull()
  })

  test.each([
    '169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    'fd00:ec2::254',
    'fe80::a9fe:a9fe',
  ])('the metadata address %s needs its own name', (address) => {
    const exactly = address.includes(':') ? `${address}/128` : `${address}/32`
    expect(whyForbidden(address, internetOnly)).toContain('metadata')
    expect(whyForbidden(address, policy('0.0.0.0/0, ::/0'))).toContain(address)
    expect(whyForbidden(address, policy(exactly))).toBeNull()
    expect(whyForbidden(address, policy(address))).toBeNull()
  })

  test('a PBX may be anywhere but at the metadata of a cloud, and where it is denied', () => {
    const policy = pbxPolicy(parseAddressRanges('10.9.0.0/16'))
    for (const address of ['127.0.0.1', '10.0.0.9', '192.168.1.5', 'fd00::5', '::1', '8.8.8.8']) {
      expect(whyForbidden(address, policy)).toBeNull()
    }
    expect(whyForbidden('10.9.0.1', policy)).toContain('OFFHOOK_DENY_ADDRESSES')
    for (const address of ['169.254.169.254', '::ffff:169.254.169.254', 'fd00:ec2::254']) {
      expect(whyForbidden(address, policy)).toContain('metadata')
    }
  })

  test('allowing all of IPv6 does not allow IPv4 in disguise', () => {
    expect(whyForbidden('::ffff:169.254.169.254', policy('::/0'))).toContain('metadata')
    expect(whyForbidden('::ffff:10.0.0.1', policy('::/0'))).toContain('10.0.0.0/8')
    expect(whyForbidden('fd00::1', policy('::/0'))).toBeNull()
  })

  test.each([
    ['10.0.0.0/33', 'neither an address nor a block'],
    ['10.0.0.0/', 'neither an address nor a block'],
    ['10.0.0.0/8/8', 'neither an address nor a block'],
    ['10.0.0/8', 'neither an address nor a block'],
    ['crm.example', 'neither an address nor a block'],
    ['fd00::/129', 'neither an address nor a block'],
    ['10.1.2.3/8', 'did you mean 10.0.0.0/8?'],
    ['fd12::1/16', 'did you mean fd12::/16?'],
  ])('%s is refused as a setting: %s', (text, message) => {
    expect(() => parseAddressRanges(text)).toThrow(message)
  })
})
