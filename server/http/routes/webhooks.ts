import { api } from '#contracts/api.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve, serveChange, serveCreation, wrongFields } from '#server/http/serve.ts'
import { checkDraft } from '#server/http/webhook-checks.ts'
import { rotateSecret } from '#server/store/rotate-secret.ts'
import { listWebhooks } from '#server/store/webhook-list.ts'
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  getWebhook,
  setWebhookEnabled,
} from '#server/store/webhooks.ts'

export function serveWebhooks(serving: Serving, deps: RouteDeps): void {
  const { store, now } = deps
  serveCreation(serving, api.createWebhook, async ({ caller, body }, remember) => {
    await checkDraft(deps, caller.id, body)
    return await createWebhook(store, caller.id, body, now(), remember)
  })
  serve(serving, api.listWebhooks, async ({ caller, query }) => {
    const { service_uuid: serviceUuid, trigger, scope, state, name, ...page } = query
    const filter = { serviceUuid, trigger, scope, state, name }
    return await listWebhooks(store, caller.id, filter, page)
  })
  serve(serving, api.getWebhook, async ({ caller, params }) =>
    found(await getWebhook(store, caller.id, params.id)),
  )
  serveChange(serving, api.changeWebhook, async ({ caller, params, body }, unchanged) => {
    await checkDraft(deps, caller.id, body)
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
  serveCreation(serving, api.rotateSecret, async ({ caller, params, body }, remember) => {
    const rotated = found(await rotateSecret(store, caller.id, params.id, body, now(), remember))
    if (rotated !== 'same') return rotated
    const message = 'must be another secret than the current one'
    throw wrongFields([{ field: 'secret', code: 'invalid', message }])
  })
}
