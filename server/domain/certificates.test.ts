import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readCertificates, readKeyPair } from '#server/domain/certificates.ts'
import { type Authority, type Issued, makeAuthority } from '#test/support/authority.ts'

const day = 86_400_000
let authority: Authority
let issued: Issued
let other: Issued
beforeAll(async () => {
  authority = await makeAuthority('Our authority')
  issued = await authority.issue('offhook', ['DNS:offhook.example'])
  other = await authority.issue('other', ['DNS:other.example'])
})
afterAll(async () => await authority[Symbol.asyncDispose]())

test('certificates are told in their order, with names, validity and fingerprint', () => {
  const text = `# bundle\n${authority.certificate}\nin between\n${issued.certificate}`
  const [first, second, ...rest] = readCertificates(text, Date.now())
  expect(first).toMatchObject({ subject: 'CN=Our authority', issuer: 'CN=Our authority' })
  expect(second).toMatchObject({ subject: 'CN=offhook', issuer: 'CN=Our authority' })
  expect(rest).toEqual([])
  expect(first?.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  expect(Date.parse(second?.valid_until ?? '') - Date.now()).toBeGreaterThan(day)
  expect(second?.valid_from).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
})

test('a key pair is told by its certificate, also one with those above it', () => {
  const chain = issued.certificate + authority.certificate
  expect(readKeyPair(chain, issued.privateKey, Date.now()).subject).toBe('CN=offhook')
})

test('what is none is told', () => {
  const { certificate, privateKey } = issued
  const broken = certificate.replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA')
  const { privateKey: encrypted } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  })
  const wrong: readonly [() => unknown, string, string][] = [
    [() => readCertificates('hello', 0), 'certificate', 'must be in PEM'],
    [() => readCertificates(certificate + privateKey, 0), 'certificate', 'holds a private key'],
    [
      () => readCertificates(certificate + broken, 0),
      'certificate',
      'certificate 2 cannot be read',
    ],
    [() => readCertificates(certificate, Date.now() + 3 * day), 'certificate', '1 ended on 20'],
    [() => readCertificates(certificate.repeat(101), 0), 'certificate', 'more than 100'],
    [() => readKeyPair(certificate, other.privateKey, 0), 'key', 'is not the key of the first'],
    [() => readKeyPair(certificate, certificate, 0), 'key', 'must be a private key in PEM'],
    [() => readKeyPair(certificate, encrypted, 0), 'key', 'is encrypted'],
  ]
  for (const [read, about, message] of wrong) {
    expect(read).toThrow(
      expect.objectContaining({ about, message: expect.stringContaining(message) }),
    )
  }
})
