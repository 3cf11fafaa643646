import { api } from '#contracts/api.ts'
import { CertificateError, readCertificates, readKeyPair } from '#server/domain/certificates.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, type Serving, serve, serveChange } from '#server/http/serve.ts'
import {
  getAuthorities,
  getClientCertificate,
  putAuthorities,
  putClientCertificate,
} from '#server/store/tls-identities.ts'
import { getWebhook } from '#server/store/webhooks.ts'

interface OfWebhook {
  readonly caller: Caller
  readonly params: { readonly id: string }
}

/** What `read` throws about a text is a wrong field of the body. */
function parsed<T>(fields: { readonly certificate: string; readonly key: string }, read: () => T) {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    const field = fields[error.about]
    throw new ProblemError('invalid_input', `Wrong: ${field}.`, {
      errors: [{ field, code: 'invalid', message: error.message }],
    })
  }
}

/** Whom https connections trust, and what they show. */
export function serveTls(serving: Serving, deps: RouteDeps): void {
  serveAuthorities(serving, deps)
  const { store, now } = deps
  const shown = async ({ caller, params }: OfWebhook) => {
    const certificate = found(await getClientCertificate(store, caller.id, params.id))
    // As it was taken: one that has ended meanwhile is still to be read.
    return found(readCertificates(certificate, 0)[0])
  }
  serve(serving, api.getClientCertificate, shown)
  serve(serving, api.putClientCertificate, async ({ caller, params, body }) => {
    found(await getWebhook(store, caller.id, params.id))
    const info = parsed({ certificate: 'certificate', key: 'private_key' }, () =>
      readKeyPair(body.certificate, body.private_key, now()),
    )
    await putClientCertificate(store, caller.id, params.id, body)
    return info
  })
  serve(serving, api.deleteClientCertificate, async ({ caller, params }) => {
    found(await getClientCertificate(store, caller.id, params.id))
    await putClientCertificate(store, caller.id, params.id, null)
    return undefined
  })
}

function serveAuthorities(serving: Serving, { store, now }: RouteDeps): void {
  const answer = (certificates: string | null, at: number) => ({
    certificates,
    items: certificates === null ? [] : readCertificates(certificates, at),
  })
  const read = async ({ caller }: { readonly caller: Caller }) =>
    answer(await getAuthorities(store, caller.id), 0)

  serve(serving, api.getAuthorities, read)
  serveChange(serving, api.putAuthorities, async ({ caller, body }, unchanged) => {
    const fields = { certificate: 'certificates', key: 'certificates' }
    const authorities = parsed(fields, () => answer(body.certificates, now()))
    await putAuthorities(store, caller.id, body.certificates, (present) =>
      unchanged(answer(present, 0)),
    )
    return authorities
  })
}
