/** What a webhook would send: shown while its form is being filled, or really sent as a test. */
import { z } from 'zod'
import { AttemptError, AttemptTimings, EarlierRequest } from '#contracts/delivery.ts'
import { StoredEvent } from '#contracts/event-type.ts'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { Timestamp } from '#contracts/events/facts.ts'
import { EventId, WebhookId } from '#contracts/ids.ts'
import { FieldError } from '#contracts/problem.ts'
import { RequestMethod } from '#contracts/webhook/request.ts'

const source = {
  trigger: EventTypeName.nullable().default(null).meta({
    description: 'The sample of this type of event; null: the event that event_id names.',
  }),
  event_id: EventId.nullable().default(null).meta({
    description: 'A past event of your account instead of a sample.',
  }),
}

/** Either a sample or a past event. */
const oneSource = (
  { trigger, event_id }: { trigger: string | null; event_id: string | null },
  context: z.RefinementCtx,
) => {
  if ((trigger === null) === (event_id === null)) {
    context.addIssue({ code: 'custom', message: 'must have either a trigger or an event_id' })
  }
}

export const PreviewInput = z
  .strictObject({
    ...source,
    webhook_id: WebhookId.nullable().default(null).meta({
      description: 'The webhook that webhook changes; null: webhook is a draft of a new one.',
    }),
    webhook: z.record(z.string(), z.unknown()).default({}).meta({
      description:
        'The settings as they stand in the form, right or wrong: a WebhookDraft, with webhook_id a WebhookChange.',
    }),
  })
  .superRefine(oneSource)
  .meta({ id: 'PreviewDraft' })

export const PreviewedRequest = z
  .object({
    method: RequestMethod,
    url: z.string(),
    headers: z.record(z.string(), z.string()).meta({
      description: 'Secrets and the signature are masked: what is made when the request leaves.',
    }),
    body: z.string(),
  })
  .meta({ id: 'PreviewedRequest' })
export type PreviewedRequest = z.infer<typeof PreviewedRequest>

export const Preview = z
  .object({
    event: StoredEvent.meta({ description: 'What the request is made of.' }),
    request: PreviewedRequest.nullable().meta({
      description: 'The exact request; null while the settings are wrong.',
    }),
    fires: z.boolean().nullable().meta({
      description: 'Whether the event would fire the webhook; null while the settings are wrong.',
    }),
    why_not: z.string().nullable().meta({ description: 'Why it would not, as a sentence.' }),
    problems: z.array(FieldError).meta({
      description: 'What is wrong with the settings: such a webhook is not taken.',
    }),
    hints: z
      .array(FieldError.pick({ field: true, message: true }))
      .meta({ description: 'What is allowed, and perhaps not what was meant.' }),
  })
  .meta({ id: 'Preview' })
export type Preview = z.infer<typeof Preview>

export const TestInput = z.strictObject(source).superRefine(oneSource).meta({ id: 'TestDraft' })

/** As an attempt of a delivery, but of no delivery: nothing is stored, nothing is tried again. */
export const TestResult = z
  .object({
    event_id: EventId,
    started_at: Timestamp,
    duration_ms: z.int().min(0),
    timings: AttemptTimings,
    ok: z.boolean().meta({ description: 'The receiver answered 2xx.' }),
    status_code: z.int().nullable(),
    error: AttemptError.nullable(),
    error_detail: z.string().nullable().meta({ description: 'One sentence for a person.' }),
    remote_address: z.string().nullable(),
    http_version: z.string().nullable(),
    method: z.string(),
    url: z.string(),
    request_headers: z.record(z.string(), z.string()).meta({ description: 'Secrets redacted.' }),
    request_body: z.string(),
    response_headers: z.record(z.string(), z.string()).nullable(),
    response_body: z.string().nullable().meta({ description: 'Up to 64 KiB of it.' }),
    response_truncated: z.boolean(),
    earlier_requests: z.array(EarlierRequest),
  })
  .meta({ id: 'TestResult' })
export type TestResult = z.infer<typeof TestResult>
