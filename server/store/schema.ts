/**
 * The tables as the program sees them; `migrations/` makes them. Times are epoch milliseconds, switches 0 or 1, JSON is
 * text. Columns named `seq` are numbered by the database in the order of insertion; lists page by them.
 */
import type { Generated } from 'kysely'
import type { AttemptError } from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { DeliveryOrder, OnExhausted, Webhook } from '#contracts/webhook/webhook.ts'
import type { BreakerState } from '#server/domain/breaker.ts'

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
  /** Certificates (PEM) of authorities to trust beside the usual ones; the version is new with every change. */
  authorities: Generated<string | null>
  authorities_version: Generated<string | null>
  /** JSON of `HangupCauses`; null: none. The version is new with every change. */
  hangup_causes: Generated<string | null>
  hangup_causes_version: Generated<string | null>
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
  /** When the switch was last off, epoch ms; `off_until` null: it still is, or never was. */
  off_since: number | null
  off_until: number | null
  /** JSON of PbxConnection; the AMI secret in it is sealed. */
  connection: string
  /** Sealed JSON: it holds the passwords of phones and mailboxes. */
  pbx_document: string | null
  /** SHA-256 of the token of its agent, hex; the token itself is not kept. */
  agent_token_hash: string | null
  /** How often the service or its PBX document was changed, from 1: tells whether it is still what was read. */
  version: number
  created_at: number
  updated_at: number
}

interface WebhookTable {
  seq: Generated<number>
  id: string
  account_id: string
  scope: Webhook['scope']
  service_uuid: string | null
  /** Of scope `call_flow`: the name of its Webhook object; else null. */
  component: string | null
  /** The name of the predefined webhook that it was made from; null: it is a custom one. */
  predefined: string | null
  name: string
  /** As searches compare it, see `foldedName`. */
  name_folded: string
  url: string
  /** JSON array of event types. */
  triggers: string
  /** JSON; null: none. */
  filters: string | null
  /** 1: a call that was picked up by `**` counts as answered. */
  count_pickups: Switch
  enabled: Switch
  disabled_reason: Webhook['disabled_reason']
  /** When a user last had it disabled, epoch ms; `off_until` null: that lasts, or never was. */
  off_since: number | null
  off_until: number | null
  retries: number
  delay_seconds: number
  timeout_seconds: number
  delivery_order: DeliveryOrder
  /** Strict order only: whether a delivery that was given up lets the later events of its call go. */
  on_exhausted: OnExhausted
  /** JSON of `RequestSettings`, its secrets sealed; null: the plain ones. The version is new with every change. */
  request: string | null
  request_version: string | null
  /** JSON array of sealed signing secrets, the current one first. */
  secrets: string
  /** Until when the second of them signs as well, epoch ms; null: there is one only. */
  previous_secret_until: Generated<number | null>
  /** JSON of the certificate (PEM) and its sealed key, for mTLS; the version is new with every change. */
  client_certificate: Generated<string | null>
  client_certificate_version: Generated<string | null>
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
  /** Who has leased all that is in flight (`Store.holder`); null: several have. With nothing in flight it says nothing. */
  holder: Generated<string | null>
  /** When the claim should look at the lane next; null when a look would find nothing. */
  next_due: number | null
  /** 1: the webhook is disabled, its pending deliveries are held. */
  held: Switch
  /** Failed attempts since the last success. */
  failures: number
  /** When the first of them was; null: the last attempt succeeded. */
  failing_since: number | null
  /** See `domain/breaker.ts`. */
  breaker: BreakerState
  /** When an open breaker lets a try through. */
  breaker_until: number | null
  breaker_reason: string | null
  /** How often it opened since it was last closed: the pauses grow by it. */
  breaker_opens: number
  /** The webhook's rate limit; null: none. */
  rate_per_second: number | null
  /** Thousandths of a request that the rate allowed at `rate_at`; see `domain/rate-limit.ts`. */
  rate_tokens: number
  rate_at: number
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

/** The days that have a partition of `event_body` and of `attempt`; see `partitions.ts`. */
interface DayPartitionTable {
  /** Whole days since 1970, UTC. */
  day: number
}

/**
 * One table per day (`event_body_20779`), by when the event was accepted: retention drops tables. Apart from `event`,
 * whose ids must stay unique in one table.
 */
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
  /** The day whose partitions hold the event's body and the attempts. */
  event_day: number
  /** Null: not an event of a call, or of a webhook that asks for no order. */
  call_uuid: string | null
  /** `held` is no state here: it is `pending` in a lane that is held, which costs one row and not a million. */
  state: 'pending' | 'leased' | 'delivered' | 'exhausted' | 'cancelled'
  /** 0: awaits its live first try; 1: everything later (retries, resent, recovered, replayed), which yields to those. */
  turn: 0 | 1
  due_at: number
  /** All there ever were; an attempt is told by this number. */
  attempts: number
  /** Those since it was last sent again: the schedule of the retries goes by them. */
  round_attempts: Generated<number>
  /** How often somebody had it sent again after its end. */
  resends: Generated<number>
  /** `replay`: made later, for an event that had matched and had no delivery. */
  origin: Generated<'event' | 'replay'>
  /** Of the last attempt; null: none yet, or no answer. */
  last_status: Generated<number | null>
  last_error: Generated<AttemptError | null>
  lease_until: number | null
  claim_id: string | null
  created_at: number
  finished_at: number | null
  /** Exhausted without a last try; null: after it, or not exhausted. */
  given_up_because: Generated<'waited_too_long' | null>
}

/** One table per day (`attempt_20779`), that of the delivery's `event_day`: all attempts of a delivery are in one. */
interface AttemptTable {
  /** The delivery's number and the attempt's in one, so that one tree holds the table; see `attempt-key.ts`. */
  seq: number
  started_at: number
  ok: Switch
  status_code: number | null
  error: AttemptError | null
  error_detail: string | null
  method: string
  /** As it was sent. */
  url: string
  request_headers: string
  /** Null: the body was the event as it is stored. */
  request_body: string | null
  response_headers: string | null
  response_body: string | null
  response_truncated: Switch
  /** Of the connection. */
  remote_address: string | null
  http_version: string | null
  /** Milliseconds; null: it did not come so far, or the connection stood already. */
  dns_ms: number | null
  connect_ms: number | null
  tls_ms: number | null
  /** Milliseconds from the start to the headers of the answer, and to the end. */
  first_byte_ms: number | null
  duration_ms: number
  /** Which time that the delivery was sent again; 0: it was not. */
  resend: number
  next_try_at: number | null
  /** JSON array of `EarlierRequest`; null: there was the one request only. */
  earlier_requests: string | null
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

/** A process on this database; see `nodes.ts`. */
interface NodeTable {
  id: string
  home: string
  host: string
  version: string
  beat: number
  seen_at: number
  started_at: number
}

/** Which node captures a PBX; see `ownerships.ts`. */
interface OwnershipTable {
  service_uuid: string
  node_id: string | null
  home: string | null
  epoch: number
  /** 1: its owner cannot read its record, so that whoever can may take it over. */
  unread: Generated<Switch>
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
  day_partition: DayPartitionTable
  event_body: EventBodyTable
  delivery: DeliveryTable
  attempt: AttemptTable
  capture: CaptureTable
  open_call: OpenCallTable
  node: NodeTable
  ownership: OwnershipTable
  idempotency_key: IdempotencyKeyTable
}
