import { z } from 'zod'
import { EventTypeName } from '#contracts/events/catalogue.ts'
import { Timestamp } from '#contracts/events/facts.ts'
import { AttemptId, DeliveryId, EventId, WebhookId } from '#contracts/ids.ts'

/**
 * The states of a delivery and its legal moves:
 *
 *   pending ── claimed ──> leased ── 2xx ───────────────> delivered
 *      ^                     │ ├── failed, tries left ──> pending (later)
 *      │                     │ ├── failed, none left ───> exhausted
 *      │                     │ └── 410 ─────────────────> exhausted, and the webhook is disabled
 *      │                     └── lease ran out (crash) ─> pending
 *      └── webhook enabled, breaker closed ── held <── webhook disabled, breaker open ── pending
 *   pending, held ── waited longer than the retention ─────> exhausted
 *   pending, held, exhausted ── by the user: cancel ───────> cancelled
 *   delivered, exhausted, cancelled ── by the user: resend ─> pending
 */
export const DeliveryState = z.enum([
  'pending',
  'leased',
  'delivered',
  'exhausted',
  'held',
  'cancelled',
])
export type DeliveryState = z.infer<typeof DeliveryState>

/** Whose fault and at which stage; decides what people are told, not whether it is tried again. */
export const AttemptError = z.enum([
  'dns',
  'connect_refused',
  'connect_timeout',
  'tls',
  'connection_lost',
  'timeout',
  'redirect',
  'status',
  'response_invalid',
  'address_forbidden',
  'refused',
  'not_rendered',
  'token',
])
export type AttemptError = z.infer<typeof AttemptError>

/** Why a delivery is held. */
export const HeldBecause = z.enum(['webhook_disabled', 'breaker_open', 'earlier_event_failed'])
export type HeldBecause = z.infer<typeof HeldBecause>

/** Why a delivery is exhausted. */
export const GivenUpBecause = z.enum(['last_try_failed', 'waited_too_long'])
export type GivenUpBecause = z.infer<typeof GivenUpBecause>

export const Delivery = z
  .object({
    id: DeliveryId,
    webhook_id: WebhookId,
    event_id: EventId,
    event_type: EventTypeName,
    call_uuid: z.uuid().nullable(),
    state: DeliveryState,
    held_because: HeldBecause.nullable().meta({
      description:
        'Why it is held; null in other states. webhook_disabled: until somebody enables the webhook. breaker_open: until its receiver answers again. earlier_event_failed: an earlier event of the call was given up, and the webhook blocks until somebody resends or cancels that one.',
    }),
    given_up_because: GivenUpBecause.nullable().meta({
      description:
        'Why it is exhausted; null in other states. last_try_failed: there was no try left, or its receiver wanted none. waited_too_long: it could not be sent for as long as things are kept.',
    }),
    origin: z.enum(['event', 'replay']).meta({
      description:
        'event: made when it happened. replay: made later, by replaying what was missing.',
    }),
    attempts: z.int().min(0).meta({ description: 'Attempts made, of all rounds.' }),
    resends: z.int().min(0).meta({ description: 'How often somebody had it sent again.' }),
    last_status_code: z.int().nullable().meta({
      description: 'Status of the last answer; null: there was none.',
    }),
    last_error: AttemptError.nullable().meta({
      description: 'What the last attempt failed with; null: it did not, or there was none.',
    }),
    due_at: Timestamp.nullable().meta({
      description: 'When the next try is due; null when none is.',
    }),
    created_at: Timestamp,
    finished_at: Timestamp.nullable(),
  })
  .meta({ id: 'Delivery' })
export type Delivery = z.infer<typeof Delivery>

/** Where the time of an attempt went; null: a step was not needed, or the attempt did not come so far. */
export const AttemptTimings = z
  .object({
    dns_ms: z.int().min(0).nullable().meta({ description: 'Looking up the name of the host.' }),
    connect_ms: z.int().min(0).nullable().meta({ description: 'Connecting to its address.' }),
    tls_ms: z.int().min(0).nullable().meta({ description: 'The TLS handshake.' }),
    first_byte_ms: z
      .int()
      .min(0)
      .nullable()
      .meta({ description: 'From the start of the attempt to the headers of the answer.' }),
  })
  .meta({ id: 'AttemptTimings' })

export const EarlierRequest = z
  .object({
    purpose: z.string().meta({ description: 'What it was for, as in "access token".' }),
    method: z.string(),
    url: z.string().meta({ description: 'Secrets redacted.' }),
    status_code: z.int().nullable().meta({ description: 'Null: no answer came.' }),
    duration_ms: z.int().min(0),
  })
  .meta({ id: 'EarlierRequest' })
export type EarlierRequest = z.infer<typeof EarlierRequest>

export const Attempt = z
  .object({
    id: AttemptId,
    delivery_id: DeliveryId,
    webhook_id: WebhookId,
    event_id: EventId,
    number: z.int().min(1).meta({ description: 'Counts from 1 within the delivery.' }),
    resend: z.int().min(0).meta({
      description: 'Which time that the delivery was sent again by somebody; 0: it was not.',
    }),
    started_at: Timestamp,
    duration_ms: z.int().min(0).meta({ description: 'To the last byte, or to the failure.' }),
    timings: AttemptTimings,
    ok: z.boolean(),
    status_code: z.int().nullable(),
    error: AttemptError.nullable(),
    error_detail: z.string().nullable().meta({ description: 'One sentence for a person.' }),
    remote_address: z.string().nullable().meta({
      description: 'Where the connection went, behind a proxy to it; null: there was none.',
    }),
    http_version: z.string().nullable().meta({ description: '1.1 or 2.' }),
    method: z.string(),
    url: z.string().meta({ description: 'As it was sent; secret values redacted.' }),
    request_headers: z.record(z.string(), z.string()).meta({ description: 'Secrets redacted.' }),
    request_body: z.string(),
    response_headers: z
      .record(z.string(), z.string())
      .nullable()
      .meta({ description: 'Secrets redacted.' }),
    response_body: z.string().nullable().meta({ description: 'Up to 64 KiB of it.' }),
    response_truncated: z.boolean().meta({ description: 'The answer was longer than that.' }),
    next_try_at: Timestamp.nullable(),
    decision: z.string().meta({ description: 'Why it will or will not be tried again.' }),
    earlier_requests: z.array(EarlierRequest).meta({
      description: 'What had to be asked before the request shown here: an access token, say.',
    }),
  })
  .meta({ id: 'Attempt' })
export type Attempt = z.infer<typeof Attempt>
