import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type {
  CreatedWebhook,
  Webhook,
  WebhookChange,
  WebhookDraft,
} from '#contracts/webhook/webhook.ts'
import { closedBreaker } from '#server/domain/breaker.ts'
import { restoreRequestSecrets } from '#server/domain/hidden-secrets.ts'
import { newBucket } from '#server/domain/rate-limit.ts'
import { newSecret } from '#server/domain/sign.ts'
import { InconsistentSettingsError } from '#server/domain/webhook-settings.ts'
import { touchMatching } from '#server/store/accounts.ts'
import { breakerColumns } from '#server/store/breaker-columns.ts'
import { whileSetAside } from '#server/store/courier.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import { holdLane } from '#server/store/hold.ts'
import { dueAgain, lockLane, lockLanes } from '#server/store/lanes.ts'
import { newId } from '#server/store/new-id.ts'
import { firstPeriod } from '#server/store/off-period.ts'
import { releaseLane } from '#server/store/release.ts'
import type { SecretBox } from '#server/store/secrets.ts'
import { sealedSecrets } from '#server/store/signing-secrets.ts'
import {
  type Check,
  type Db,
  nothingMore,
  type Store,
  type Trx,
  unchecked,
  type Within,
} from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'
import { filtersColumn } from '#server/store/webhook-filters.ts'
import { requestColumns, requestPart } from '#server/store/webhook-requests.ts'
import { columnsAfter, foldedName, type WebhookRow, webhookOf } from '#server/store/webhook-row.ts'

/** 192 bits, the least that Standard Webhooks asks for. */
export const secretBytes = 24
/** A full bucket for the rate; the columns of a lane. */
function rateColumns(rate: number | null, now: number) {
  const bucket = rate === null ? null : newBucket(rate, now)
  return { rate_per_second: rate, rate_tokens: bucket?.tokens ?? 0, rate_at: bucket?.at ?? 0 }
}

export function selectWebhooks(db: Db, accountId: string) {
  return db
    .selectFrom('webhook')
    .innerJoin('lane', 'lane.webhook_id', 'webhook.id')
    .selectAll('webhook')
    .select([
      'lane.max_in_flight',
      'lane.rate_per_second',
      'lane.failures',
      'lane.failing_since',
      'lane.breaker',
      'lane.breaker_until',
      'lane.breaker_reason',
      'lane.breaker_opens',
    ])
    .where('webhook.account_id', '=', accountId)
    .where('webhook.deleted_at', 'is', null)
}

async function findRow(db: Db, accountId: string, id: string): Promise<WebhookRow | null> {
  const row = await selectWebhooks(db, accountId).where('webhook.id', '=', id).executeTakeFirst()
  return row ?? null
}

/** The webhook as it is, for this transaction alone to change. */
export async function lockRow(trx: Trx, accountId: string, id: string): Promise<WebhookRow | null> {
  // Another account's lane is not for us to take.
  if ((await findRow(trx, accountId, id)) === null) return null
  await lockLane(trx, id)
  await trx.updateTable('webhook').set({ id }).where('id', '=', id).execute()
  return await findRow(trx, accountId, id)
}

/**
 * Keeps the service there until the transaction ends: deleted meanwhile, it would leave a webhook that no event can fire.
 * Before the lanes, as whoever deletes it. Throws InconsistentSettingsError.
 */
async function holdService(
  trx: Trx,
  { facts }: Pick<Store, 'facts'>,
  accountId: string,
  uuid: string | null | undefined,
): Promise<void> {
  if (uuid === null || uuid === undefined) return
  const { rows } = await sql`
    select uuid from service
    where account_id = ${accountId} and uuid = ${uuid} ${facts.awaitRows('service')}`.execute(trx)
  if (rows.length > 0) return
  const message = 'there is no such service in your account any more'
  throw new InconsistentSettingsError([{ path: ['service_uuid'], message }])
}

export interface NewWebhook extends WebhookDraft {
  readonly predefined?: string
  /** The Webhook object of a call flow that it is. */
  readonly component?: string
}

/** The rows of a new webhook, its secrets sealed, and the secret that signs its requests; made when the draft has none. */
export function newWebhookRows(box: SecretBox, accountId: string, draft: NewWebhook, now: number) {
  const id = newId('webhook')
  const secret = draft.secret ?? newSecret(randomBytes(secretBytes))
  const webhook = {
    id,
    account_id: accountId,
    scope: draft.component === undefined ? draft.scope : ('call_flow' as const),
    service_uuid: draft.service_uuid,
    component: draft.component ?? null,
    predefined: draft.predefined ?? null,
    name: draft.name,
    name_folded: foldedName(draft.name),
    url: draft.url,
    triggers: JSON.stringify(draft.triggers),
    filters: filtersColumn(draft.filters),
    count_pickups: draft.count_pickups ? (1 as const) : (0 as const),
    enabled: draft.enabled ? (1 as const) : (0 as const),
    disabled_reason: draft.enabled ? null : ('by_user' as const),
    ...firstPeriod(draft.enabled, now),
    retries: draft.retries,
    delay_seconds: draft.delay_seconds,
    timeout_seconds: draft.timeout_seconds,
    delivery_order: draft.order,
    on_exhausted: draft.on_exhausted,
    ...requestColumns(
      box,
      id,
      restoreRequestSecrets({ url: draft.url, request: requestPart(draft) }, null),
    ),
    secrets: sealedSecrets(box, id, [secret]),
    deleted_at: null,
    created_at: now,
    updated_at: now,
  }
  const lane = {
    webhook_id: id,
    max_in_flight: draft.concurrency,
    in_flight: 0,
    next_due: null,
    held: draft.enabled ? (0 as const) : (1 as const),
    ...breakerColumns(closedBreaker),
    ...rateColumns(draft.rate_limit, now),
  }
  return { webhook, lane, secret }
}
export type NewWebhookRows = Pick<ReturnType<typeof newWebhookRows>, 'webhook' | 'lane'>

export async function insertWebhook(trx: Db, rows: NewWebhookRows): Promise<WebhookRow> {
  const row = await trx
    .insertInto('webhook')
    .values(rows.webhook)
    .returningAll()
    .executeTakeFirstOrThrow()
  const lane = await trx
    .insertInto('lane')
    .values(rows.lane)
    .returningAll()
    .executeTakeFirstOrThrow()
  return { ...lane, ...row }
}

/** `secret` signs its requests and is shown here only. */
export async function createWebhook(
  store: Store,
  accountId: string,
  draft: NewWebhook,
  now: number,
  within: Within<CreatedWebhook> = nothingMore,
): Promise<CreatedWebhook> {
  const rows = newWebhookRows(store.secrets, accountId, draft, now)
  return await store.write.transaction().execute(async (trx) => {
    await holdService(trx, store, accountId, draft.service_uuid)
    const row = await insertWebhook(trx, rows)
    await touchMatching(trx, accountId)
    const created = { ...webhookOf(store.secrets, row), secret: rows.secret }
    await within(trx, created)
    return created
  })
}

export async function getWebhook(
  store: Store,
  accountId: string,
  id: string,
): Promise<Webhook | null> {
  const row = await findRow(store.read, accountId, id)
  return row === null ? null : webhookOf(store.secrets, row)
}

/** Null: the account has no such webhook. */
export async function changeWebhook(
  store: Store,
  accountId: string,
  id: string,
  change: WebhookChange,
  now: number,
  check: Check<Webhook> = unchecked,
): Promise<Webhook | null> {
  const { result: changed } = await whileSetAside(store, id, async () =>
    store.write.transaction().execute(async (trx) => {
      await holdService(trx, store, accountId, change.service_uuid)
      const row = await lockRow(trx, accountId, id)
      if (row === null) return null
      check(webhookOf(store.secrets, row))
      const columns = columnsAfter(store.secrets, row, change, now)
      await trx
        .updateTable('webhook')
        .set({ ...columns, updated_at: now })
        .where('id', '=', id)
        .execute()
      await changeLane(trx, row, change, now)
      await touchMatching(trx, accountId)
      return await findRow(trx, accountId, id)
    }),
  )
  store.ringDue()
  return changed === null ? null : webhookOf(store.secrets, changed)
}

/** What of the change concerns the lane. */
async function changeLane(
  trx: Trx,
  { id, url, enabled }: WebhookRow,
  change: WebhookChange,
  now: number,
): Promise<void> {
  const { concurrency, rate_limit } = change
  await trx
    .updateTable('lane')
    .set({
      // So that there is always something to set.
      webhook_id: id,
      ...(concurrency !== undefined && { max_in_flight: concurrency }),
      ...(rate_limit !== undefined && rateColumns(rate_limit, now)),
    })
    .where('webhook_id', '=', id)
    .execute()
  if (change.enabled === false) return await holdLane(trx, id)
  const moved = change.url !== undefined && change.url !== url
  // Elsewhere there may be somebody who answers.
  if (change.enabled === true || (enabled === 1 && moved)) return await releaseLane(trx, id, now)
  // Another order, or none, may let go what waited.
  await trx
    .updateTable('lane')
    .set({ next_due: dueAgain(now) })
    .where('webhook_id', '=', id)
    .execute()
}

/** Switches the webhook on (what was held goes out) or off (what waits is held). Null: there is no such webhook. */
export async function setWebhookEnabled(
  store: Store,
  accountId: string,
  id: string,
  enabled: boolean,
  now: number,
  check: Check<Webhook> = unchecked,
): Promise<Webhook | null> {
  return await changeWebhook(store, accountId, id, { enabled }, now, check)
}

/**
 * Switches the webhook off because of what its receiver answered; part of the transaction of that answer. Null: it
 * is off already or gone, so there is nothing to tell.
 */
export async function disableWebhookAutomatically(
  db: Db,
  id: string,
  reason: 'gone' | 'failing',
  now: number,
): Promise<{
  readonly accountId: string
  readonly serviceUuid: string | null
  readonly name: string
} | null> {
  const row = await db
    .updateTable('webhook')
    .set({ enabled: 0, disabled_reason: reason, updated_at: now })
    .where('id', '=', id)
    .where('enabled', '=', 1)
    .where('deleted_at', 'is', null)
    .returning(['account_id as accountId', 'service_uuid as serviceUuid', 'name'])
    .executeTakeFirst()
  if (row === undefined) return null
  await holdLane(db, id)
  await touchMatching(db, row.accountId)
  return row
}

/**
 * The webhook is gone at once for everybody; its deliveries are removed by `prune.ts` in small steps, since a million
 * of them in one transaction would hold up everybody else's. False: there is no such webhook.
 */
export async function deleteWebhook(
  store: Store,
  accountId: string,
  id: string,
  now: number,
  check: Check<Webhook> = unchecked,
): Promise<boolean> {
  const { result } = await whileSetAside(store, id, async () =>
    store.write.transaction().execute(async (trx) => {
      const row = await lockRow(trx, accountId, id)
      if (row === null) return false
      check(webhookOf(store.secrets, row))
      if (row.scope === 'call_flow') {
        const says = 'A Webhook object goes with its component of the PBX document.'
        throw new StoreError('made_by_call_flow', says)
      }
      await removeWebhooks(trx, store.facts, [id], now)
      await touchMatching(trx, accountId)
      return true
    }),
  )
  return result
}

/** Part of deleting a service: the webhooks that belong to it alone. */
export async function removeWebhooksOfService(
  trx: Trx,
  facts: DialectFacts,
  accountId: string,
  serviceUuid: string,
  now: number,
): Promise<void> {
  const rows = await trx
    .selectFrom('webhook')
    .select('id')
    .where('account_id', '=', accountId)
    .where('service_uuid', '=', serviceUuid)
    .where('deleted_at', 'is', null)
    .execute()
  const ids = rows.map((row) => row.id)
  if (ids.length > 0) await removeWebhooks(trx, facts, ids, now)
}

/** Part of a transaction that takes away what they are of. */
export async function removeWebhooks(
  trx: Trx,
  facts: DialectFacts,
  ids: readonly string[],
  now: number,
): Promise<void> {
  await lockLanes(trx, facts, ids)
  await trx.deleteFrom('lane').where('webhook_id', 'in', ids).execute()
  await trx
    .updateTable('webhook')
    // Its secrets have no reader any more.
    .set({
      deleted_at: now,
      enabled: 0,
      secrets: '[]',
      previous_secret_until: null,
      client_certificate: null,
    })
    .where('id', 'in', ids)
    .execute()
}
