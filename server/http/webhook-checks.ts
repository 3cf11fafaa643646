/** What of a webhook's settings cannot be told from the settings alone. */
import { fieldPath } from '#contracts/field-path.ts'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { FieldError } from '#contracts/problem.ts'
import type { Connector } from '#contracts/webhook/connector.ts'
import type { Payload } from '#contracts/webhook/payload.ts'
import type { WebhookChange } from '#contracts/webhook/webhook.ts'
import { CertificateError } from '#server/domain/certificates.ts'
import { rsaKey } from '#server/domain/salesforce/token-request.ts'
import type { RouteDeps } from '#server/http/route-deps.ts'
import { wrongFields } from '#server/http/serve.ts'
import { getService } from '#server/store/services.ts'

type Checked = Pick<
  WebhookChange,
  'service_uuid' | 'url' | 'connector' | 'authentication' | 'payload'
>

/** All of it, of the settings that are given. */
export async function settingsProblems(
  deps: RouteDeps,
  accountId: string,
  { service_uuid, url, connector, authentication, payload }: Checked,
): Promise<FieldError[]> {
  const tokenUrl = authentication?.type === 'oauth2' ? authentication.token_url : undefined
  const problems = await Promise.all([
    serviceProblems(deps, accountId, service_uuid),
    urlProblems(deps, 'url', url),
    urlProblems(deps, 'authentication.token_url', tokenUrl),
    connectorProblems(connector),
    payloadProblems(deps, accountId, payload),
  ])
  return problems.flat()
}

/** Throws `invalid_input`. */
export async function checkDraft(
  deps: RouteDeps,
  accountId: string,
  settings: Checked,
): Promise<void> {
  const wrong = await settingsProblems(deps, accountId, settings)
  if (wrong.length > 0) throw wrongFields(wrong)
}

/** A webhook may name a service of its own account only; another's does not exist for it. */
async function serviceProblems(
  { store }: RouteDeps,
  accountId: string,
  uuid: string | null | undefined,
): Promise<FieldError[]> {
  if (uuid === null || uuid === undefined) return []
  if ((await getService(store, accountId, uuid)) !== null) return []
  const message = 'there is no such service in your account; GET /api/v1/services lists them'
  return [{ field: 'service_uuid', code: 'invalid', message }]
}

/** The guard of the send, asked when the URL is stored: who makes the webhook is told, and not only its log. */
async function urlProblems(
  { whyForbidden }: RouteDeps,
  field: string,
  url: string | undefined,
): Promise<FieldError[]> {
  const message = url === undefined ? null : await whyForbidden(url)
  return message === null ? [] : [{ field, code: 'address_forbidden', message }]
}

/** Names are asked for this many at a time. */
const urlsAtOnce = 16

/** The same for the Webhook objects of a call flow. Throws `invalid_input`. */
export async function checkObjectUrls(
  { whyForbidden }: RouteDeps,
  { components }: PbxDocument,
): Promise<void> {
  const urls = [...new Set(components.flatMap(({ webhook }) => webhook?.url ?? []))]
  const forbidden = new Map<string, string>()
  for (let i = 0; i < urls.length; i += urlsAtOnce) {
    const some = urls.slice(i, i + urlsAtOnce)
    const answers = await Promise.all(some.map(whyForbidden))
    answers.forEach((why, j) => {
      if (why !== null) forbidden.set(some[j] ?? '', why)
    })
  }
  if (forbidden.size === 0) return
  throw wrongFields(
    components.flatMap(({ webhook }, i) => {
      const message = webhook === null ? undefined : forbidden.get(webhook.url)
      if (message === undefined) return []
      return [
        { field: `components[${i}].webhook.url`, code: 'address_forbidden' as const, message },
      ]
    }),
  )
}

/** What a template says is told by the engine that renders it. */
async function payloadProblems(
  { templates }: RouteDeps,
  accountId: string,
  payload: Payload | undefined,
): Promise<FieldError[]> {
  if (payload?.style !== 'template') return []
  const problems = await templates.problems(accountId, payload)
  return problems.map(({ path, message }) => ({
    field: fieldPath(path),
    code: 'invalid',
    message,
  }))
}

/** A key that cannot sign is told to who sets it. A mask stands for one that was taken before. */
function connectorProblems(connector: Connector | null | undefined): FieldError[] {
  const login = connector?.login
  if (login?.type !== 'jwt_bearer' || login.private_key === hiddenSecret) return []
  try {
    rsaKey(login.private_key)
    return []
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    return [{ field: 'connector.login.private_key', code: 'invalid', message: error.message }]
  }
}
