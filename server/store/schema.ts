/**
 * The tables as the program sees them; `migrations/` makes them. Times are epoch milliseconds, switches 0 or 1, JSON is
 * text. Columns named `seq` are numbered by the database in the order of insertion; lists page by them.
 */
import type { Generated } from 'kysely'
import type { AttemptError } from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { DeliveryOrder, Webhook } from '#contracts/webhook.ts'

type Switch = 0 | 1

interface MigrationTable {
  number: number
  name: string
  applied_at: number
}

interface SettingTable {
  name: string
  value: string
}

interface AccountTable {
  id: string
  name: string
  /** Counts the changes of what decides which events fire which webhooks; see `matching.ts`. */
  matching_version: number
  created_at: number
}

interface ApiKeyTable {
  id: string
  account_id: string
  name: string
  /** SHA-256 of the key, hex; the key itself is not kept. */
  hash: string
  created_at: number
}

interface ServiceTable {
  seq: Generated<number>
  uuid: string
  account_id: string
  name: string
  friendly_name: string
  country: string | null
  applications_enabled: Switch
  /** JSON of PbxConnection; the AMI secret in it is sealed. */
  connection: string
  /** Sealed JSON: it holds the passwords of phones and mailboxes. */
  pbx_document: string | null
  created_at: number
  updated_at: number
}

interface WebhookTable {
  seq: Generated<number>
  id: string
  account_id: string
  service_uuid: string | null
  name: string
  url: string
  /** JSON array of event types. */
  triggers: string
  enabled: Switch
  disabled_reason: Webhook['disabled_reason']
  retries: number
  delay_seconds: number
  timeout_seconds: number
  delivery_order: DeliveryOrder
  /** JSON array of sealed signing secrets, the current one first. */
  secrets: string
  /** Set: gone for everybody; its deliveries are being removed in small steps. */
  deleted_at: number | null
  created_at: number
  updated_at: number
}

/** One row per webhook: what the claim reads instead of its deliveries, so that a backlog costs nobody anything. */
interface LaneTable {
  webhook_id: string
  max_in_flight: number
  in_flight: number
  /** When the claim should look at the lane next; null when a look would find nothing. */
  next_due: number | null
  /** 1: the webhook is disabled, its pending deliveries are held. */
  held: Switch
  /** Failed attempts since the last success. */
  failures: number
}

interface EventTable {
  seq: Generated<number>
  id: string
  account_id: string
  service_uuid: string | null
  type: EventType
  call_uuid: string | null
  occurred_at: number
  created_at: number
}

/** Apart from `event`: the ids must stay unique in one table, the bodies can be dropped by period. */
interface EventBodyTable {
  event_seq: number
  /** The event in the native form, exactly as it is sent. */
  body: string
}

interface DeliveryTable {
  seq: Generated<number>
  account_id: string
  webhook_id: string
  event_seq: number
  /** Null: not an event of a call, or of a webhook that asks for no order. */
  call_uuid: string | null
  /** `held` is no state here: it is `pending` in a lane that is held, which costs one row and not a million. */
  state: 'pending' | 'leased' | 'delivered' | 'exhausted' | 'cancelled'
  due_at: number
  attempts: number
  lease_until: number | null
  claim_id: string | null
  created_at: number
  finished_at: number | null
}

interface AttemptTable {
  seq: Generated<number>
  delivery_seq: number
  number: number
  started_at: number
  duration_ms: number
  ok: Switch
  status_code: number | null
  error: AttemptError | null
  error_detail: string | null
  request_headers: string
  /** Null: the body was the event as it is stored. */
  request_body: string | null
  response_headers: string | null
  response_body: string | null
  response_truncated: Switch
  next_try_at: number | null
  decision: string
}

/** How far the record of a PBX has been read. */
interface CaptureTable {
  service_uuid: string
  cursor: string
  updated_at: number
}

interface OpenCallTable {
  service_uuid: string
  key: string
  state: string
}

/** Replies to creations, kept so that a repetition with the same key has no second effect. */
interface IdempotencyKeyTable {
  account_id: string
  key: string
  fingerprint: string
  /** Null: the first request is under way. */
  status: number | null
  /** Sealed: a reply can show a secret. */
  body: string | null
  created_at: number
}

export interface Tables {
  migration: MigrationTable
  setting: SettingTable
  account: AccountTable
  api_key: ApiKeyTable
  service: ServiceTable
  webhook: WebhookTable
  lane: LaneTable
  event: EventTable
  event_body: EventBodyTable
  delivery: DeliveryTable
  attempt: AttemptTable
  capture: CaptureTable
  open_call: OpenCallTable
  idempotency_key: IdempotencyKeyTable
}
