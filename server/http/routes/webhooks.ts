import { api } from '#contracts/api.ts'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import type { Connector } from '#contracts/webhook/connector.ts'
import { CertificateError } from '#server/domain/certificates.ts'
import { rsaKey } from '#server/domain/salesforce/token-request.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve, serveChange, serveCreation, wrongFields } from '#server/http/serve.ts'
import { getService } from '#server/store/services.ts'
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhooks,
  setWebhookEnabled,
} from '#server/store/webhooks.ts'

/** A webhook may name a service of its own account only; another's does not exist for it. */
async function checkService(
  { store }: RouteDeps,
  accountId: string,
  uuid: string | null | undefined,
) {
  if (uuid === null || uuid === undefined) return
  if ((await getService(store, accountId, uuid)) !== null) return
  const message = 'there is no such service in your account'
  throw new ProblemError('invalid_input', 'Wrong: service_uuid.', {
    errors: [{ field: 'service_uuid', code: 'invalid', message }],
  })
}

/** The guard of the send, asked when the URL is stored: who makes the webhook is told, and not only its log. */
async function checkUrl({ whyForbidden }: RouteDeps, url: string | undefined) {
  const why = url === undefined ? null : await whyForbidden(url)
  if (why === null) return
  throw new ProblemError('invalid_input', 'Wrong: url.', {
    errors: [{ field: 'url', code: 'address_forbidden', message: why }],
  })
}

/** A key that cannot sign is told to who sets it. A mask stands for one that was taken before. */
function checkConnector(connector: Connector | null | undefined): void {
  const login = connector?.login
  if (login?.type !== 'jwt_bearer' || login.private_key === hiddenSecret) return
  try {
    rsaKey(login.private_key)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    const field = 'connector.login.private_key'
    throw wrongFields([{ field, code: 'invalid', message: error.message }])
  }
}

export function serveWebhooks(serving: Serving, deps: RouteDeps): void {
  const { store, now } = deps
  serveCreation(serving, api.createWebhook, async ({ caller, body }, remember) => {
    await checkService(deps, caller.id, body.service_uuid)
    await checkUrl(deps, body.url)
    checkConnector(body.connector)
    return await createWebhook(store, caller.id, body, now(), remember)
  })
  serve(serving, api.listWebhooks, async ({ caller, query }) => {
    const { service_uuid, trigger, ...page } = query
    return await listWebhooks(store, caller.id, { serviceUuid: service_uuid, trigger }, page)
  })
  serve(serving, api.getWebhook, async ({ caller, params }) =>
    found(await getWebhook(store, caller.id, params.id)),
  )
  serveChange(serving, api.changeWebhook, async ({ caller, params, body }, unchanged) => {
    await checkService(deps, caller.id, body.service_uuid)
    await checkUrl(deps, body.url)
    checkConnector(body.connector)
    return found(await changeWebhook(store, caller.id, params.id, body, now(), unchanged))
  })
  serveChange(serving, api.deleteWebhook, async ({ caller, params }, unchanged) => {
    if (!(await deleteWebhook(store, caller.id, params.id, now(), unchanged)))
      throw new ProblemError('not_found')
    return undefined
  })
  serveChange(serving, api.enableWebhook, async ({ caller, params }, unchanged) =>
    found(await setWebhookEnabled(store, caller.id, params.id, true, now(), unchanged)),
  )
  serveChange(serving, api.disableWebhook, async ({ caller, params }, unchanged) =>
    found(await setWebhookEnabled(store, caller.id, params.id, false, now(), unchanged)),
  )
}
