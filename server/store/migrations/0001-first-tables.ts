import { type Kysely, sql } from 'kysely'
import type { DialectFacts } from '#server/store/dialect.ts'
import { lateInIndex } from '#server/store/late-deliveries.ts'

async function createEventTables(db: Kysely<unknown>, facts: DialectFacts): Promise<void> {
  await db.schema
    .createTable('event')
    .addColumn('seq', facts.serialKey)
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('service_uuid', 'text')
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('call_uuid', 'text')
    .addColumn('occurred_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute()
  await sql`create index event_list on event (account_id, occurred_at, seq)`.execute(db)
  await sql`create index event_call on event (call_uuid, seq) where call_uuid is not null`.execute(
    db,
  )

  // Bodies and attempts are in a table per day; `partitions.ts` makes them.
  await db.schema
    .createTable('day_partition')
    .addColumn('day', 'integer', (c) => c.primaryKey())
    .execute()
}

/** `call_uuid` of a delivery is set for webhooks with an order only: others need no place in the index of the order. */
async function createDeliveryTables(db: Kysely<unknown>, facts: DialectFacts): Promise<void> {
  await db.schema
    .createTable('delivery')
    .addColumn('seq', facts.serialKey)
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('webhook_id', 'text', (c) => c.notNull())
    .addColumn('event_seq', 'bigint', (c) => c.notNull())
    .addColumn('event_day', 'integer', (c) => c.notNull())
    .addColumn('call_uuid', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('turn', 'integer', (c) => c.notNull())
    .addColumn('due_at', 'bigint', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('round_attempts', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('resends', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('origin', 'text', (c) => c.notNull().defaultTo('event'))
    .addColumn('last_status', 'integer')
    .addColumn('last_error', 'text')
    .addColumn('lease_until', 'bigint')
    .addColumn('claim_id', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('finished_at', 'bigint')
    .addColumn('given_up_because', 'text')
    .execute()
  // The claim looks for due first tries (turn 0), then for what comes later (turn 1).
  await sql`create index delivery_due on delivery (webhook_id, turn, due_at, seq)
    where state = 'pending'`.execute(db)
  await sql`create index delivery_leased on delivery (webhook_id, lease_until)
    where state = 'leased'`.execute(db)
  await sql`create index delivery_order on delivery (webhook_id, call_uuid, seq)
    where state in ('pending', 'leased') and call_uuid is not null`.execute(db)
  // Blocking heads of calls in strict order, and what "recover" walks.
  await sql`create index delivery_blocking on delivery (webhook_id, call_uuid, seq)
    where state = 'exhausted' and call_uuid is not null`.execute(db)
  await sql`create index delivery_exhausted on delivery (webhook_id, seq)
    where state = 'exhausted'`.execute(db)
  // Lists go by the time, and a search within a period begins at its end.
  await sql`create index delivery_list on delivery (account_id, created_at, seq)`.execute(db)
  await sql`create index delivery_webhook on delivery (webhook_id, created_at, seq)`.execute(db)
  await sql`create index delivery_event on delivery (event_seq)`.execute(db)
  await sql`create index delivery_given_up on delivery (account_id, created_at, seq)
    where state in ('exhausted', 'cancelled')`.execute(db)
  await sql`create index delivery_failed on delivery (account_id, created_at, seq)
    where last_error is not null`.execute(db)
  // The few that were tried long after they were made, for searches by when an attempt was made.
  await sql`create index delivery_late on delivery (account_id, created_at, seq)
    where ${lateInIndex}`.execute(db)
}

async function createWebhookTables(db: Kysely<unknown>, facts: DialectFacts): Promise<void> {
  await db.schema
    .createTable('webhook')
    .addColumn('seq', facts.serialKey)
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('account_id', 'text', (c) => c.notNull().references('account.id'))
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('service_uuid', 'text')
    .addColumn('component', 'text')
    .addColumn('predefined', 'text')
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('name_folded', 'text', (c) => c.notNull())
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('triggers', 'text', (c) => c.notNull())
    .addColumn('filters', 'text')
    .addColumn('count_pickups', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('disabled_reason', 'text')
    .addColumn('off_since', 'bigint')
    .addColumn('off_until', 'bigint')
    .addColumn('retries', 'integer', (c) => c.notNull())
    .addColumn('delay_seconds', 'integer', (c) => c.notNull())
    .addColumn('timeout_seconds', 'integer', (c) => c.notNull())
    .addColumn('delivery_order', 'text', (c) => c.notNull())
    .addColumn('on_exhausted', 'text', (c) => c.notNull())
    .addColumn('request', 'text')
    .addColumn('request_version', 'text')
    .addColumn('secrets', 'text', (c) => c.notNull())
    .addColumn('previous_secret_until', 'bigint')
    .addColumn('client_certificate', 'text')
    .addColumn('client_certificate_version', 'text')
    .addColumn('deleted_at', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute()
  await sql`create index webhook_list on webhook (account_id, seq) where deleted_at is null`.execute(
    db,
  )
  await sql`create index webhook_previous_secret on webhook (previous_secret_until)
    where previous_secret_until is not null`.execute(db)
  await sql`create index webhook_deleted on webhook (deleted_at) where deleted_at is not null`.execute(
    db,
  )

  await db.schema
    .createTable('lane')
    .addColumn('webhook_id', 'text', (c) => c.primaryKey().references('webhook.id'))
    .addColumn('max_in_flight', 'integer', (c) => c.notNull())
    .addColumn('in_flight', 'integer', (c) => c.notNull())
    .addColumn('holder', 'text')
    .addColumn('next_due', 'bigint')
    .addColumn('held', 'integer', (c) => c.notNull())
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('failing_since', 'bigint')
    .addColumn('breaker', 'text', (c) => c.notNull())
    .addColumn('breaker_until', 'bigint')
    .addColumn('breaker_reason', 'text')
    .addColumn('breaker_opens', 'integer', (c) => c.notNull())
    .addColumn('rate_per_second', 'integer')
    .addColumn('rate_tokens', 'bigint', (c) => c.notNull())
    .addColumn('rate_at', 'bigint', (c) => c.notNull())
    .execute()
  await sql`create index lane_due on lane (next_due)
    where next_due is not null and in_flight < max_in_flight`.execute(db)
}

async function createAccountTables(db: Kysely<unknown>, facts: DialectFacts): Promise<void> {
  await db.schema
    .createTable('setting')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('account')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('matching_version', 'bigint', (c) => c.notNull())
    .addColumn('authorities', 'text')
    .addColumn('authorities_version', 'text')
    .addColumn('hangup_causes', 'text')
    .addColumn('hangup_causes_version', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('api_key')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('account_id', 'text', (c) => c.notNull().references('account.id'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull().unique())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('service')
    .addColumn('seq', facts.serialKey)
    .addColumn('uuid', 'text', (c) => c.notNull().unique())
    .addColumn('account_id', 'text', (c) => c.notNull().references('account.id'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('friendly_name', 'text', (c) => c.notNull())
    .addColumn('country', 'text')
    .addColumn('applications_enabled', 'integer', (c) => c.notNull())
    .addColumn('off_since', 'bigint')
    .addColumn('off_until', 'bigint')
    .addColumn('connection', 'text', (c) => c.notNull())
    .addColumn('pbx_document', 'text')
    .addColumn('agent_token_hash', 'text', (c) => c.unique())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('service_name', ['account_id', 'name'])
    .execute()
  await db.schema
    .createTable('idempotency_key')
    .addColumn('account_id', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('fingerprint', 'text', (c) => c.notNull())
    .addColumn('status', 'integer')
    .addColumn('body', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('idempotency_key_key', ['account_id', 'key'])
    .execute()
}

async function createCaptureTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('capture')
    .addColumn('service_uuid', 'text', (c) => c.primaryKey())
    .addColumn('cursor', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('open_call')
    .addColumn('service_uuid', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('open_call_key', ['service_uuid', 'key'])
    .execute()
  await db.schema
    .createTable('node')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('home', 'text', (c) => c.notNull())
    .addColumn('host', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('beat', 'bigint', (c) => c.notNull())
    .addColumn('seen_at', 'bigint', (c) => c.notNull())
    .addColumn('started_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('ownership')
    .addColumn('service_uuid', 'text', (c) => c.primaryKey())
    .addColumn('node_id', 'text')
    .addColumn('home', 'text')
    .addColumn('epoch', 'bigint', (c) => c.notNull())
    .addColumn('unread', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
}

/**
 * The first tables. Events, deliveries and attempts carry no foreign keys: they are many, and removed in bulk by age. (On
 * PostgreSQL a key is a query per row, and a lock on the account.)
 */
export async function up(db: Kysely<unknown>, facts: DialectFacts): Promise<void> {
  await createAccountTables(db, facts)
  await createWebhookTables(db, facts)
  await createEventTables(db, facts)
  await createDeliveryTables(db, facts)
  await createCaptureTables(db)
}
