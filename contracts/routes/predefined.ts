/** Webhooks that are made from a definition. */
import { z } from 'zod'
import { PredefinedWebhook } from '#contracts/predefined.ts'
import { route } from '#contracts/route.ts'
import { CreatedWebhook, WebhookVersion } from '#contracts/webhook/webhook.ts'

export const predefinedRoutes = {
  listPredefinedWebhooks: route({
    method: 'GET',
    path: '/api/v1/predefined-webhooks',
    tag: 'Webhooks',
    summary: 'The products for which there are settings ready.',
    answer: z.object({ items: z.array(PredefinedWebhook) }),
  }),

  createPredefinedWebhook: route({
    method: 'POST',
    path: '/api/v1/predefined-webhooks/:name',
    tag: 'Webhooks',
    summary:
      'Create a webhook from a definition. What is given goes over the settings of the definition, object by object; lists are replaced.',
    params: z.strictObject({ name: z.string().max(40) }),
    body: z.record(z.string(), z.unknown()),
    status: 201,
    answer: CreatedWebhook,
    idempotent: true,
    versionOf: WebhookVersion,
    problems: ['not_found'],
  }),
} as const
