import { z } from 'zod'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { Timestamp } from '#contracts/events/facts.ts'
import { WebhookId } from '#contracts/ids.ts'
import { inconsistencies, webhookScopes } from '#contracts/webhook/consistency.ts'
import { Filters, noFilters } from '#contracts/webhook/filters.ts'
import type { Payload } from '#contracts/webhook/payload.ts'
import { ReceiverUrl } from '#contracts/webhook/receiver-url.ts'
import {
  plainRequest,
  type RequestFormat,
  type RequestSettings,
  requestSettings,
} from '#contracts/webhook/request.ts'

/**
 * `none`: no promise. `first_try`: first tries of one call go out one after the other, in sequence; retries hold
 * nobody up. `strict`: an event of a call is not sent before the one before it is delivered or given up.
 */
export const DeliveryOrder = z.enum(['none', 'first_try', 'strict'])
export type DeliveryOrder = z.infer<typeof DeliveryOrder>

/** In strict order, when an event of a call is given up: `skip` goes on with the next one, `block` waits for a person. */
export const OnExhausted = z.enum(['skip', 'block'])
export type OnExhausted = z.infer<typeof OnExhausted>

/** Standard Webhooks secret: `whsec_` and 24 to 64 bytes in base64, padded: receivers' libraries decode it strictly. */
export const WebhookSecret = z
  .string()
  .max(100)
  .regex(/^whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, {
    abort: true,
    message: 'must be whsec_ followed by base64, padded with =',
  })
  .refine((secret) => {
    const bytes = bytesOfBase64(secret.slice('whsec_'.length))
    return bytes >= 24 && bytes <= 64
  }, 'must have 24 to 64 bytes behind whsec_')

const bytesOfBase64 = (text: string) =>
  (text.length / 4) * 3 - (text.length - text.replaceAll('=', '').length)

export const WebhookScope = z.enum(webhookScopes).meta({
  description:
    'account: events of the account, and of all its services. service: events of one service. global: the global webhook of a PBX, in the Phone Cloud format, with a secret token. call_flow: a Webhook object of a call flow, which the PBX document makes.',
})

/** What people choose; Webhook objects are made by the PBX document. */
const ChosenScope = z.enum(['account', 'service', 'global'])

const settings = {
  name: z.string().trim().min(1).max(200).meta({ description: 'For your reference.' }),
  url: ReceiverUrl.meta({ description: 'Where requests go.' }),
  service_uuid: z
    .uuid()
    .nullable()
    .meta({ description: 'The PBX whose events fire it; null: every service of the account.' }),
  triggers: z
    .array(EventTypeName)
    .min(1)
    .max(100)
    .transform((t) => [...new Set(t)])
    .meta({ description: 'The types of event that fire it.' }),
  filters: Filters,
  count_pickups: z.boolean().meta({
    description:
      'Whether call.inbound.answered fires it also when another user picked the call up by **.',
  }),
  enabled: z.boolean().meta({
    description:
      'Off: nothing is sent. What waits is held until it is on again; what happens meanwhile becomes no delivery.',
  }),
  retries: z
    .int()
    .min(0)
    .max(50)
    .meta({ description: 'Tries after the first one, with growing pauses.' }),
  delay_seconds: z
    .int()
    .min(0)
    .max(86_400)
    .meta({ description: 'Pause between the event and the first try.' }),
  timeout_seconds: z.int().min(1).max(60).meta({
    description: 'Total time for one attempt, from connect to the last byte of the answer.',
  }),
  concurrency: z
    .int()
    .min(1)
    .max(100)
    .meta({ description: 'Requests that may be under way to it at the same time.' }),
  rate_limit: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .meta({ description: 'Requests per second that it gets at most; null: no limit.' }),
  order: DeliveryOrder.meta({
    description:
      'Order of the events of one call. none: no promise. first_try: first tries in sequence, retries hold nobody up. strict: each event waits until the one before it is delivered or given up.',
  }),
  on_exhausted: OnExhausted.meta({
    description:
      'With strict order, when an event of a call is given up. skip: the next one goes out. block: the later ones of the call are held until somebody resends or cancels it.',
  }),
  ...requestSettings,
}

export const WebhookBreaker = z
  .object({
    state: z.enum(['closed', 'open', 'half_open']).meta({
      description:
        'closed: requests go out. open: the receiver failed too often in a row, nothing is sent until next_probe_at. half_open: one request, the probe, is under way or about to go.',
    }),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why it is not closed, in a sentence; null while it is.' }),
    failures: z.int().min(0).meta({ description: 'Failed attempts since the last success.' }),
    failing_since: Timestamp.nullable().meta({
      description: 'When the first of them was; null: the last attempt succeeded.',
    }),
    next_probe_at: Timestamp.nullable().meta({
      description: 'When an open breaker lets the next request through; else null.',
    }),
  })
  .meta({ id: 'WebhookBreaker' })
export type WebhookBreaker = z.infer<typeof WebhookBreaker>

interface Following {
  readonly scope: z.infer<typeof ChosenScope>
  readonly format: RequestFormat
  readonly payload: Payload
}
type Followed = Pick<RequestSettings, 'method'> & { readonly service_uuid: string | null }

/** What is not said follows from the rest. */
function withFollowing<
  D extends Followed & { readonly [K in keyof Following]?: Following[K] | undefined },
>(draft: D): Omit<D, keyof Following> & Following {
  const { service_uuid, method, scope, format, payload } = draft
  return {
    ...draft,
    scope: scope ?? (service_uuid === null ? 'account' : 'service'),
    format: format ?? (method === 'GET' ? 'query' : 'json'),
    payload: payload ?? (scope === 'global' ? { style: 'phone-cloud' } : plainRequest.payload),
  }
}

export const WebhookDraft = z
  .strictObject({
    ...settings,
    scope: ChosenScope.optional().meta({
      description: 'account unless there is a service_uuid, then service.',
    }),
    service_uuid: settings.service_uuid.default(null),
    filters: settings.filters.default(noFilters),
    count_pickups: settings.count_pickups.default(false),
    enabled: settings.enabled.default(true),
    retries: settings.retries.default(3),
    delay_seconds: settings.delay_seconds.default(0),
    timeout_seconds: settings.timeout_seconds.default(15),
    concurrency: settings.concurrency.default(5),
    rate_limit: settings.rate_limit.default(null),
    order: settings.order.default('first_try'),
    on_exhausted: settings.on_exhausted.default('skip'),
    method: settings.method.default(plainRequest.method),
    format: settings.format
      .optional()
      .meta({ description: 'json unless the method is GET, then query.' }),
    path_arguments: settings.path_arguments.default([]),
    authentication: settings.authentication.default(plainRequest.authentication),
    signed: settings.signed.default(plainRequest.signed),
    headers: settings.headers.default([]),
    payload: settings.payload
      .optional()
      .meta({ description: 'native; with scope global phone-cloud.' }),
    hangup_causes: settings.hangup_causes.default({}),
    connector: settings.connector.default(null),
    secret: WebhookSecret.optional().meta({
      description:
        'Signing secret; made for you when absent. Shown once, in the answer to the creation.',
    }),
  })
  .superRefine(
    (draft, context) => {
      const wrong = new Set(context.issues.map(({ path }) => path?.[0]))
      for (const { path, message } of inconsistencies(withFollowing(draft), wrong)) {
        context.addIssue({ code: 'custom', path: [...path], message })
      }
    },
    // Also beside fields that are wrong: whoever fills in a form is told all of it at once.
    { when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value) },
  )
  .transform(withFollowing)
  .meta({ id: 'WebhookDraft' })
export type WebhookDraft = z.infer<typeof WebhookDraft>

export const WebhookChange = z
  .strictObject({
    ...settings,
    scope: ChosenScope.meta({
      description:
        'account, service or global. Absent: account and service follow service_uuid, global stays. To become global it needs a service_uuid, the payload phone-cloud and a pbx_token.',
    }),
    secret: WebhookSecret,
  })
  .partial()
  .meta({ id: 'WebhookChange' })
export type WebhookChange = z.infer<typeof WebhookChange>

export const Webhook = z
  .object({
    id: WebhookId,
    scope: WebhookScope,
    component: z.string().nullable().meta({
      description: 'Name of the Webhook object of the call flow that it is; null: it is none.',
    }),
    predefined: z.string().nullable().meta({
      description: 'The predefined webhook that it was made from; null: a custom one.',
    }),
    ...settings,
    triggers: z.array(EventTypeName),
    has_client_certificate: z.boolean().meta({
      description: 'Whether requests show a certificate (mTLS); …/client-certificate has it.',
    }),
    previous_secret_until: Timestamp.nullable().meta({
      description:
        'After a rotation: until when requests carry a signature of the secret before as well. Null: of the one secret only. A time that is over disappears within the hour.',
    }),
    disabled_reason: z.enum(['by_user', 'gone', 'failing']).nullable().meta({
      description:
        'Why it is off; null while it is on. by_user: somebody switched it off. gone: the receiver answered 410. failing: nothing but failures for too long.',
    }),
    breaker: WebhookBreaker.meta({ description: 'What its receiver did lately.' }),
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Webhook' })
export type Webhook = z.infer<typeof Webhook>

/**
 * The part of a webhook that people change: what its ETag stands for. The breaker moves by itself, a previous secret ends so, and a
 * certificate has an address of its own.
 */
export const WebhookVersion = Webhook.omit({
  breaker: true,
  previous_secret_until: true,
  has_client_certificate: true,
})

export const CreatedWebhook = Webhook.extend({
  secret: WebhookSecret.meta({
    description: 'The signing secret, shown in this reply only. Receivers verify with it.',
  }),
}).meta({ id: 'CreatedWebhook' })
export type CreatedWebhook = z.infer<typeof CreatedWebhook>
