import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'

/** Whom https connections trust and what they show of us. One object is one set of connections. */
export interface TlsIdentity {
  /** Certificates (PEM) of authorities to trust beside the usual ones. */
  readonly ca: readonly string[]
  /** For receivers that ask for one (mTLS). */
  readonly client: ClientCertificate | null
}

export interface ClientCertificate {
  /** PEM, with the certificates between it and its authority. */
  readonly certificate: string
  /** PEM, not encrypted. */
  readonly privateKey: string
}

/** The usual authorities, and nothing shown of us. */
export const plainIdentity: TlsIdentity = { ca: [], client: null }

/** Made once and kept by its user: reading the authorities takes some milliseconds. */
export function secureContextOf({ ca, client }: TlsIdentity): SecureContext {
  return createSecureContext({
    ...(ca.length === 0 ? {} : { ca: [...getCACertificates('default'), ...ca] }),
    ...(client === null ? {} : { cert: client.certificate, key: client.privateKey }),
  })
}
