/** How the connector signs in. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import type { SalesforceLogin } from '#contracts/webhook/connector.ts'
import { CertificateError } from '#server/domain/certificates.ts'

/** Salesforce takes at most five minutes. */
const assertionSeconds = 180

/** The form that the token endpoint is sent. `now` is the wall clock's, epoch milliseconds. Throws CertificateError. */
export function tokenForm(login: SalesforceLogin, url: string, now: number): string {
  if (login.type === 'client_credentials') {
    const { client_id, client_secret } = login
    return new URLSearchParams({
      grant_type: 'client_credentials',
      client_id,
      client_secret,
    }).toString()
  }
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: assertionOf(login, url, now),
  }).toString()
}

/** What of the form lets somebody in, should an endpoint repeat it; an assertion does so until it ends. */
export function formSecrets(form: string): readonly string[] {
  const fields = new URLSearchParams(form)
  const assertion = fields.get('assertion')
  return assertion === null ? fields.getAll('client_secret') : [assertion, ...assertion.split('.')]
}

/** RFC 7523. */
function assertionOf(
  login: Extract<SalesforceLogin, { type: 'jwt_bearer' }>,
  url: string,
  now: number,
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: login.client_id,
    sub: login.username,
    aud: login.audience ?? new URL(url).origin,
    exp: Math.floor(now / 1000) + assertionSeconds,
  }
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(signed), rsaKey(login.private_key))
  return `${signed}.${signature.toString('base64url')}`
}

/** Throws CertificateError. */
export function rsaKey(pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new CertificateError('key', 'must be a private key as PEM, not encrypted')
  }
  if (key.asymmetricKeyType !== 'rsa') throw new CertificateError('key', 'must be an RSA key')
  return key
}
