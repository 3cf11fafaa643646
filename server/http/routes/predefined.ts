import { api } from '#contracts/api.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { mergeSettings } from '#server/domain/merge-settings.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import type { RouteDeps } from '#server/http/route-deps.ts'
import { parsed, type Serving, serve, serveCreation, wrongFields } from '#server/http/serve.ts'
import { checkDraft } from '#server/http/webhook-checks.ts'
import { createWebhook } from '#server/store/webhooks.ts'

export function servePredefined(serving: Serving, deps: RouteDeps): void {
  const { store, now, predefined } = deps
  serve(serving, api.listPredefinedWebhooks, async () => ({ items: [...predefined.values()] }))

  serveCreation(serving, api.createPredefinedWebhook, async (input, remember) => {
    const { caller, params, body } = input
    const definition = predefined.get(params.name)
    if (definition === undefined) throw unknownName(deps)
    const { name, settings } = definition
    const { value, errors } = parsed(WebhookDraft, mergeSettings(settings, body))
    if (errors.length > 0) throw wrongFields(errors)
    const draft = { ...(value as WebhookDraft), predefined: name }
    await checkDraft(deps, caller.id, draft)
    return await createWebhook(store, caller.id, draft, now(), remember)
  })
}

function unknownName({ predefined }: RouteDeps): ProblemError {
  const names = [...predefined.keys()].join(', ')
  return new ProblemError('not_found', `There is no such predefined webhook; there are ${names}.`)
}
