import { LRUCache } from 'lru-cache'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { DeliveryOrder } from '#contracts/webhook/webhook.ts'
import { prepareFilters } from '#server/domain/filter.ts'
import {
  type MatchedEvent,
  type MatchedService,
  type MatchingWebhook,
  match,
} from '#server/domain/match.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import { requestVersion, tlsVersion } from '#server/store/lanes.ts'
import { signingSecrets } from '#server/store/signing-secrets.ts'
import type { Db } from '#server/store/store.ts'
import { filtersOf } from '#server/store/webhook-filters.ts'

/** A webhook as far as accepting an event needs it. */
export interface StoredMatching extends MatchingWebhook {
  /** `account.matching_version` when it was read. */
  readonly version: number
  readonly delayMs: number
  readonly order: DeliveryOrder
  /** What its deliverer is told, where a delivery is leased at once. */
  readonly claimed: Omit<ClaimedWebhook, 'troubled' | 'concurrency' | 'probe'>
}

export interface AccountMatching {
  readonly version: number
  /** Webhooks and services together; long filters count as several. */
  readonly rows: number
  /** By UUID. */
  readonly services: ReadonlyMap<string, MatchedService>
  readonly byTrigger: ReadonlyMap<EventType, readonly StoredMatching[]>
}

/**
 * The webhooks of each account as they were at `account.matching_version`. The version is read in every transaction
 * that accepts events, so that a stale copy is never used, also when another process made the change.
 */
export interface MatchingCache {
  readonly accounts: LRUCache<string, AccountMatching>
}

/** Webhooks and services take some hundred bytes each; those of accounts at rest need not stay. */
const rowsKept = 50_000

export function createMatchingCache(): MatchingCache {
  const sizeCalculation = ({ rows }: AccountMatching) => rows + 1
  return { accounts: new LRUCache({ maxSize: rowsKept, sizeCalculation }) }
}

/** What the account's events are matched against, as of this transaction. Null: there is no such account. */
export async function matchingOf(
  db: Db,
  cache: MatchingCache,
  accountId: string,
): Promise<AccountMatching | null> {
  const account = await db
    .selectFrom('account')
    .select('matching_version')
    .where('id', '=', accountId)
    .executeTakeFirst()
  if (account === undefined) return null
  const known = cache.accounts.get(accountId)
  if (known?.version === account.matching_version) return known
  const fresh = await readMatching(db, accountId, account.matching_version)
  cache.accounts.set(accountId, fresh)
  return fresh
}

async function readMatching(db: Db, accountId: string, version: number): Promise<AccountMatching> {
  const services = await db
    .selectFrom('service')
    .select(['uuid', 'applications_enabled', 'country'])
    .where('account_id', '=', accountId)
    .execute()
  const rows = await readWebhooks(db, accountId)
  const byTrigger = new Map<EventType, StoredMatching[]>()
  for (const row of rows) {
    const webhook = matchingOfRow(row, version)
    for (const trigger of webhook.triggers) {
      const others = byTrigger.get(trigger)
      if (others === undefined) byTrigger.set(trigger, [webhook])
      else others.push(webhook)
    }
  }
  return {
    version,
    rows: rows.length + services.length + roomOfFilters(rows),
    services: new Map(
      services.map((s) => [
        s.uuid,
        { applicationsEnabled: s.applications_enabled === 1, country: s.country },
      ]),
    ),
    byTrigger,
  }
}

/** A filter may have thousands of numbers. */
function roomOfFilters(rows: readonly { readonly filters: string | null }[]): number {
  const length = rows.reduce((sum, { filters }) => sum + (filters?.length ?? 0), 0)
  return Math.ceil(length / 100)
}

async function readWebhooks(db: Db, accountId: string) {
  return await db
    .selectFrom('webhook as w')
    .innerJoin('account as a', 'a.id', 'w.account_id')
    .select([
      'w.id',
      'w.service_uuid',
      'w.component',
      'w.triggers',
      'w.filters',
      'w.count_pickups',
      'w.enabled',
      'w.disabled_reason',
      'w.delay_seconds',
      'w.delivery_order',
      'w.url',
      'w.retries',
      'w.timeout_seconds',
      signingSecrets.as('secrets'),
      requestVersion.as('request_version'),
      tlsVersion.as('tls_version'),
    ])
    .where('w.account_id', '=', accountId)
    .where('w.deleted_at', 'is', null)
    .execute()
}

function matchingOfRow(
  row: Awaited<ReturnType<typeof readWebhooks>>[number],
  version: number,
): StoredMatching {
  return {
    version,
    id: row.id,
    serviceUuid: row.service_uuid,
    component: row.component,
    triggers: new Set(JSON.parse(row.triggers) as EventType[]),
    filters: prepareFilters(filtersOf(row.filters)),
    countPickups: row.count_pickups === 1,
    enabled: row.enabled === 1,
    disabledReason: row.disabled_reason,
    delayMs: row.delay_seconds * 1_000,
    order: row.delivery_order,
    claimed: {
      id: row.id,
      url: row.url,
      retries: row.retries,
      timeoutMs: row.timeout_seconds * 1_000,
      sealedSecrets: row.secrets,
      tlsVersion: row.tls_version,
      requestVersion: row.request_version,
    },
  }
}

/** The webhooks that the event fires. */
export function firedBy(event: MatchedEvent, matching: AccountMatching): readonly StoredMatching[] {
  const candidates = matching.byTrigger.get(event.type) ?? []
  const uuid = event.service?.uuid
  const service = uuid === undefined ? null : (matching.services.get(uuid) ?? null)
  return candidates.filter((webhook) => match(event, webhook, service).deliver)
}
