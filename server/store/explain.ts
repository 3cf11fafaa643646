import { type Selectable, sql } from 'kysely'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import type { ExplainedEvent, Verdict } from '#contracts/explain.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import {
  type ExplainedDelivery,
  type ExplainInput,
  explain,
  type Off,
} from '#server/domain/explain.ts'
import { prepareFilters } from '#server/domain/filter.ts'
import { isoOf } from '#server/domain/times.ts'
import { attemptKey } from '#server/store/attempt-key.ts'
import {
  type DeliveryRow,
  deliveryColumns,
  deliveryJoins,
  deliveryOf,
} from '#server/store/deliveries.ts'
import type { OffPeriod } from '#server/store/off-period.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import { bodyIn, dayOf, partition, readBodies } from '#server/store/partitions.ts'
import type { Tables } from '#server/store/schema.ts'
import { inSnapshot } from '#server/store/snapshot.ts'
import type { Db, Store } from '#server/store/store.ts'
import { filtersOf } from '#server/store/webhook-filters.ts'

export interface EventVerdicts {
  readonly event: ExplainedEvent
  /** Newest webhook first. */
  readonly verdicts: Page<Verdict>
}

type EventRow = Selectable<Tables['event']>

/** What became of the event at each webhook of the account, and why. Null: the account has no such event. */
export async function explainEvent(
  store: Store,
  accountId: string,
  eventId: string,
  page: PageRequest,
  now: number,
): Promise<EventVerdicts | null> {
  // In one snapshot: a delivery must not come or go between the statements.
  return await inSnapshot(store, async (trx) => {
    const row = await trx
      .selectFrom('event')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', '=', eventId)
      .executeTakeFirst()
    if (row === undefined) return null
    const webhooks = await readWebhooks(trx, accountId, page)
    const deliveries = await readDeliveries(
      trx,
      row.seq,
      webhooks.map((webhook) => webhook.id),
    )
    const shared = {
      event: await readEvent(trx, row),
      acceptedAt: row.created_at,
      service: await readService(trx, row.service_uuid),
      now,
    }
    const verdicts = pageOfRows('verdicts', page, webhooks, (webhook): Verdict => {
      const found = deliveries.get(webhook.id) ?? null
      const { code, says, byPresentSettings } = explain({
        ...shared,
        webhook: settingsOf(webhook),
        delivery: found === null ? null : found.explained,
      })
      return {
        webhook_id: webhook.id,
        webhook_name: webhook.name,
        code,
        says,
        by_present_settings: byPresentSettings,
        delivery: found === null ? null : deliveryOf(found.row),
      }
    })
    return { event: eventOf(row), verdicts }
  })
}

function eventOf(row: EventRow): ExplainedEvent {
  return {
    id: row.id,
    type: row.type,
    occurred_at: isoOf(row.occurred_at),
    accepted_at: isoOf(row.created_at),
    service_uuid: row.service_uuid,
    call_uuid: row.call_uuid,
  }
}

async function readEvent(db: Db, { seq, created_at }: EventRow): Promise<Event> {
  const bodies = await readBodies(db, [{ seq, day: dayOf(created_at) }])
  return JSON.parse(bodyIn(bodies, seq)) as Event
}

async function readService(db: Db, uuid: string | null): Promise<ExplainInput['service']> {
  if (uuid === null) return null
  const row = await db
    .selectFrom('service')
    .select(['applications_enabled', 'country', 'off_since', 'off_until', 'updated_at'])
    .where('uuid', '=', uuid)
    .executeTakeFirst()
  if (row === undefined) return null
  return {
    applicationsEnabled: row.applications_enabled === 1,
    country: row.country,
    off: offOf(row),
    updatedAt: row.updated_at,
  }
}

const offOf = ({ off_since: since, off_until: until }: OffPeriod): Off | null =>
  since === null ? null : { since, until }

async function readWebhooks(db: Db, accountId: string, page: PageRequest) {
  return await db
    .selectFrom('webhook')
    .innerJoin('lane', 'lane.webhook_id', 'webhook.id')
    .select([
      'webhook.seq',
      'webhook.id',
      'webhook.name',
      'webhook.service_uuid',
      'webhook.component',
      'webhook.triggers',
      'webhook.filters',
      'webhook.count_pickups',
      'webhook.enabled',
      'webhook.disabled_reason',
      'webhook.off_since',
      'webhook.off_until',
      'webhook.created_at',
      'webhook.updated_at',
      'lane.breaker_until',
      'lane.breaker_reason',
    ])
    .where('webhook.account_id', '=', accountId)
    .where('webhook.deleted_at', 'is', null)
    .where('webhook.seq', '<', belowOf('verdicts', page.cursor))
    .orderBy('webhook.seq', 'desc')
    .limit(page.limit + 1)
    .execute()
}

function settingsOf(
  row: Awaited<ReturnType<typeof readWebhooks>>[number],
): ExplainInput['webhook'] {
  return {
    id: row.id,
    serviceUuid: row.service_uuid,
    component: row.component,
    triggers: new Set(JSON.parse(row.triggers) as EventType[]),
    filters: prepareFilters(filtersOf(row.filters)),
    countPickups: row.count_pickups === 1,
    enabled: row.enabled === 1,
    disabledReason: row.disabled_reason,
    off: offOf(row),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    breakerUntil: row.breaker_until,
    breakerReason: row.breaker_reason,
  }
}

interface ExplainedRow {
  readonly row: DeliveryRow
  readonly explained: ExplainedDelivery
}

/** The deliveries of the event to these webhooks, by webhook. */
async function readDeliveries(
  db: Db,
  eventSeq: number,
  webhookIds: readonly string[],
): Promise<ReadonlyMap<string, ExplainedRow>> {
  if (webhookIds.length === 0) return new Map()
  const { rows } = await sql<DeliveryRow>`
    select ${deliveryColumns} from delivery, lane, webhook, event
    where delivery.event_seq = ${eventSeq} and ${deliveryJoins}
      and delivery.webhook_id in (${sql.join(webhookIds)})`.execute(db)
  const last = await readLastAttempts(db, rows)
  return new Map(
    rows.map((row) => [
      row.webhook_id,
      {
        row,
        explained: {
          state: row.held_because === null ? row.state : 'held',
          heldBecause: row.held_because,
          waitedTooLong: row.given_up_because !== null,
          attempts: row.attempts,
          dueAt: row.due_at,
          finishedAt: row.finished_at,
          leaseUntil: row.lease_until,
          lastAttempt: last.get(row.seq) ?? null,
        },
      },
    ]),
  )
}

/** By the number of the delivery. */
async function readLastAttempts(
  db: Db,
  deliveries: readonly DeliveryRow[],
): Promise<ReadonlyMap<number, NonNullable<ExplainedDelivery['lastAttempt']>>> {
  const tried = deliveries.filter((delivery) => delivery.attempts > 0)
  const [first] = tried
  if (first === undefined) return new Map()
  const keys = new Map(tried.map(({ seq, attempts }) => [attemptKey(seq, attempts), seq]))
  const rows = await db
    // All are of one event, and so of one day.
    .selectFrom(partition('attempt', first.event_day))
    .select(['attempt.seq', 'attempt.error_detail', 'attempt.decision'])
    .where('attempt.seq', 'in', [...keys.keys()])
    .execute()
  return new Map(
    rows.map(({ seq, error_detail, decision }) => [
      keys.get(seq) ?? 0,
      { errorDetail: error_detail, decision },
    ]),
  )
}
