/** Certificates and keys as people paste them: PEM. What is wrong is said in words of which they can make use. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { CertificateInfo } from '#contracts/tls.ts'

/** The text does not hold what it should; the message says what would be right. */
export class CertificateError extends Error {
  readonly about: 'certificate' | 'key'

  constructor(about: 'certificate' | 'key', message: string) {
    super(message)
    this.name = 'CertificateError'
    this.about = about
  }
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const mostCertificates = 100

/** Every certificate of the text, in its order. Throws CertificateError. */
export function readCertificates(text: string, now: number): readonly CertificateInfo[] {
  return parseCertificates(text, now).map(infoOf)
}

/** The first certificate of the text, whose key this must be. Throws CertificateError. */
export function readKeyPair(certificates: string, key: string, now: number): CertificateInfo {
  const [own] = parseCertificates(certificates, now)
  if (own === undefined) throw new CertificateError('certificate', 'must hold a certificate')
  if (!own.checkPrivateKey(parseKey(key))) {
    throw new CertificateError('key', 'is not the key of the first certificate')
  }
  return infoOf(own)
}

function parseKey(text: string): KeyObject {
  if (/ENCRYPTED/.test(text)) {
    throw new CertificateError(
      'key',
      'is encrypted; decrypt it first, as by "openssl pkey -in key.pem"',
    )
  }
  try {
    return createPrivateKey(text)
  } catch {
    throw new CertificateError('key', 'must be a private key in PEM')
  }
}

function parseCertificates(text: string, now: number): readonly X509Certificate[] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new CertificateError('certificate', 'holds a private key; give the certificates only')
  }
  const blocks = text.match(certificateBlock) ?? []
  if (blocks.length === 0) {
    throw new CertificateError(
      'certificate',
      'must be in PEM: -----BEGIN CERTIFICATE----- and so on',
    )
  }
  if (blocks.length > mostCertificates) {
    throw new CertificateError(
      'certificate',
      `must not hold more than ${mostCertificates} certificates`,
    )
  }
  return blocks.map((block, i) => {
    const certificate = parseCertificate(block, i)
    if (certificate.validToDate.getTime() < now) {
      const when = certificate.validToDate.toISOString()
      throw new CertificateError('certificate', `${ordinal(i)} ended on ${when}`)
    }
    return certificate
  })
}

function parseCertificate(block: string, index: number): X509Certificate {
  try {
    return new X509Certificate(block)
  } catch {
    throw new CertificateError('certificate', `${ordinal(index)} cannot be read`)
  }
}

const ordinal = (index: number) => `certificate ${index + 1}`

function infoOf(certificate: X509Certificate): CertificateInfo {
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    valid_from: certificate.validFromDate.toISOString(),
    valid_until: certificate.validToDate.toISOString(),
    fingerprint: certificate.fingerprint256,
  }
}

/** Node puts one part on each line; undefined: the certificate names nobody. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ')
}
