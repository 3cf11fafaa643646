/** A new signing secret for a webhook whose receiver goes on verifying meanwhile. */
import { z } from 'zod'
import { Webhook, WebhookSecret } from '#contracts/webhook/webhook.ts'

const thirtyDays = 30 * 86_400

export const SecretRotation = z
  .strictObject({
    overlap_seconds: z.int().min(0).max(thirtyDays).default(86_400).meta({
      description:
        'For how long requests carry a signature of the secret before as well. 0: not at all, as for one that has leaked.',
    }),
    secret: WebhookSecret.optional().meta({
      description: 'The new secret; made for you when absent.',
    }),
  })
  .meta({ id: 'SecretRotation' })
export type SecretRotation = z.infer<typeof SecretRotation>

export const RotatedWebhook = Webhook.extend({
  secret: WebhookSecret.meta({
    description: 'The new signing secret, shown in this reply only.',
  }),
}).meta({ id: 'RotatedWebhook' })
export type RotatedWebhook = z.infer<typeof RotatedWebhook>
