/** Predefined webhooks: data files with settings that fit a known product, so that few are left to fill in. */
import { z } from 'zod'

const draft = z.record(z.string(), z.unknown())

export const PredefinedWebhook = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,39}$/, 'must begin with a letter, then a-z, 0-9 and _')
      .meta({ description: 'By which it is created.' }),
    label: z.string().min(1).max(100).meta({ description: 'What forms call it.' }),
    note: z.string().min(1).max(500).meta({ description: 'What it does, and what it claims.' }),
    asks_for: z
      .array(
        z.strictObject({
          field: z
            .string()
            .meta({ description: 'Path within the settings, as in connector.login.client_id.' }),
          label: z.string(),
          description: z.string(),
        }),
      )
      .meta({ description: 'What the administrator must fill in.' }),
    settings: draft.meta({ description: 'Of a WebhookDraft; all of them can be changed.' }),
    example: draft.meta({
      description: 'What one could fill in, so that the whole is a WebhookDraft.',
    }),
  })
  .meta({ id: 'PredefinedWebhook' })
export type PredefinedWebhook = z.infer<typeof PredefinedWebhook>
