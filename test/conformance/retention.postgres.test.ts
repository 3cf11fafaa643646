/** Retention beside others, and who waits for whom: what only transactions of several connections can show. */
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { searchAttempts } from '#server/store/attempt-search.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { getEvent, listEvents } from '#server/store/events.ts'
import { explainEvent } from '#server/store/explain.ts'
import { type Partitioned, partitioned, partitionName } from '#server/store/partitions.ts'
import { pruneDeletedWebhooks, pruneDeliveries, pruneEvents } from '#server/store/prune.ts'
import { reapLeases } from '#server/store/reap.ts'
import { beginReplay, replayStep } from '#server/store/replay-missing.ts'
import { resendDelivery } from '#server/store/resend.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { changeWebhook, deleteWebhook } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  giveUp,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'
import type { TestStore } from '#test/conformance/test-store.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let opened: TestStore
let store: Store
let tenant: Tenant
beforeEach(async () => {
  opened = await openPostgresTestStore()
  store = opened.store
  tenant = await makeTenant(store)
})
afterEach(async () => await opened[Symbol.asyncDispose]())

/** How many statements of this store wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from pg_stat_activity
    where usename = current_user and wait_event_type = 'Lock'`.execute(store.write)
  return rows[0]?.count ?? 0
}

async function untilWaiting(count: number): Promise<void> {
  await waitUntil(async () => (await waiting()) === count, { what: `${count} wait for a lock` })
}

async function delivered(call: string, at = 1_000): Promise<{ readonly id: string }> {
  await accept(store, tenant, [callEvent(tenant, call)], at)
  for (const lease of (await claim(store, at)).leases) await succeed(store, lease, at + 100)
  const { items } = await listDeliveries(store, tenant.account.id, {}, { limit: 1 })
  return { id: items[0]?.id ?? '' }
}

const request = { before: 5_000, now: 9_999, limit: 100 }
const page = { limit: 10 }

let day = 0

/** Reads what was delivered on a new day: when `read` has found its rows and waits for `table`, the day goes. */
async function readWhileDropped<T>(
  table: Partitioned,
  read: (deliveryId: string) => Promise<T>,
): Promise<T> {
  day += 1
  const { id } = await delivered('a', day * 86_400_000)
  let answer: Promise<T> | null = null
  await store.write.transaction().execute(async (trx) => {
    await sql`lock table ${sql.table(partitionName(table, day))} in access exclusive mode`.execute(
      trx,
    )
    answer = read(id)
    answer.catch(() => undefined)
    await untilWaiting(1)
    await sql`delete from delivery`.execute(trx)
    await sql`delete from event`.execute(trx)
    for (const gone of partitioned) {
      await sql`drop table ${sql.table(partitionName(gone, day))}`.execute(trx)
    }
    await sql`delete from day_partition`.execute(trx)
  })
  if (answer === null) throw new Error('nothing was read')
  return await answer
}

test('a day that is dropped between two statements of a reader is not there for it', async () => {
  await makeWebhook(store, tenant)
  const { id: account } = tenant.account
  const event = callEvent(tenant, 'a')
  const of = { numberKeys: ['61400000000'] }
  const dropped = readWhileDropped
  expect(
    await dropped('attempt', async (id) => await listAttempts(store, account, id, page)),
  ).toBeNull()
  expect(
    await dropped('event_body', async () => await getEvent(store, account, event.id)),
  ).toBeNull()
  expect(
    await dropped('attempt', async () => await explainEvent(store, account, event.id, page, 0)),
  ).toBeNull()
  const lists = [
    await dropped('attempt', async () => await searchAttempts(store, account, {}, page)),
    await dropped('event_body', async () => await listEvents(store, account, {}, page)),
    await dropped('call_number', async () => await listEvents(store, account, of, page)),
    await dropped('call_number', async () => await listDeliveries(store, account, of, page)),
  ]
  for (const list of lists) expect(list).toEqual({ items: [], next_cursor: null })
})

test('what is sent again while retention looks at it stays, and what is removed is not sent again', async () => {
  await makeWebhook(store, tenant)
  const { id } = await delivered('a')
  await store.write.transaction().execute(async (trx) => {
    // What `resendDelivery` does to the row, not committed yet.
    await sql`update delivery set state = 'pending', resends = 1, finished_at = null`.execute(trx)
    await sql`update lane set next_due = 2000`.execute(trx)
    await pruneDeliveries(store, 0, request)
  })
  const { items } = await listDeliveries(store, tenant.account.id, {}, page)
  expect(items).toMatchObject([{ id, state: 'pending', resends: 1 }])

  for (const lease of (await claim(store, 2_000)).leases) await succeed(store, lease, 2_100)
  const answers = await Promise.all([
    pruneDeliveries(store, 0, request),
    resendDelivery(store, tenant.account.id, id, 6_000),
  ])
  const left = (await listDeliveries(store, tenant.account.id, {}, page)).items
  expect(left).toHaveLength(answers[1] === 'resent' ? 1 : 0)
})

test('what is claimed while retention waits for its lane is not given up', async () => {
  await makeWebhook(store, tenant)
  await accept(store, tenant, [callEvent(tenant, 'a')])
  let pruned: Promise<unknown> = Promise.resolve()
  await store.write.transaction().execute(async (trx) => {
    await lockLanes(trx)
    pruned = pruneDeliveries(store, 0, request)
    await untilWaiting(1)
    await sql`update delivery set state = 'leased', claim_id = 'x', lease_until = 99999`.execute(
      trx,
    )
  })
  await pruned
  const { items } = await listDeliveries(store, tenant.account.id, {}, page)
  expect(items).toMatchObject([{ state: 'leased', finished_at: null }])
})

test('an event of which a delivery is being made is not removed', async () => {
  const event = callEvent(tenant, 'a')
  await accept(store, tenant, [event])
  const webhook = await makeWebhook(store, tenant)
  const replay = await beginReplay(store, {
    webhookId: webhook.id,
    accountId: tenant.account.id,
    since: 0,
    until: 2_000,
  })
  if (replay === null) throw new Error('no account')
  let replayed: Promise<unknown> = Promise.resolve()
  await store.write.transaction().execute(async (trx) => {
    // The replay has made its delivery, and waits for the lane with all of it uncommitted.
    await sql`create function wait_here() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(42); return new; end $$`.execute(store.write)
    await sql`create trigger wait_here after insert on delivery
      for each statement execute function wait_here()`.execute(store.write)
    await sql`select pg_advisory_xact_lock(42)`.execute(trx)
    replayed = replayStep(store, replay, { startedAt: 2_000, after: 0 }, 10, 6_000)
    await untilWaiting(1)
    expect(await pruneEvents(store, 0, request)).toMatchObject({ removed: 0 })
  })
  expect(await replayed).toMatchObject({ changed: 1 })
  expect((await claim(store, 7_000)).leases).toMatchObject([{ event: { id: event.id } }])
})

test('a deleted webhook whose delivery somebody has leaves nothing behind', async () => {
  const webhook = await makeWebhook(store, tenant)
  await delivered('a')
  await deleteWebhook(store, tenant.account.id, webhook.id, 2_000)
  await store.write.transaction().execute(async (trx) => {
    await sql`select seq from delivery for update`.execute(trx)
    expect(await pruneDeletedWebhooks(store, 10)).toBe(false)
  })
  while (await pruneDeletedWebhooks(store, 10));
  expect(await store.read.selectFrom('webhook').select('id').execute()).toEqual([])
  expect(await store.read.selectFrom('delivery').select('seq').execute()).toEqual([])
})

async function lockLanes(trx: Trx): Promise<void> {
  await sql`select webhook_id from lane order by webhook_id for update`.execute(trx)
}

/** The rows that nobody has. */
async function free(table: 'webhook' | 'delivery'): Promise<number> {
  const { rows } = await sql`select 1 from ${sql.table(table)} for update skip locked`.execute(
    store.write,
  )
  return rows.length
}

test('whoever changes a webhook takes its lane first', async () => {
  const webhook = await makeWebhook(store, tenant)
  await accept(store, tenant, [callEvent(tenant, 'a')])
  const [lease] = (await claim(store, 1_000)).leases
  if (lease === undefined) throw new Error('no lease')
  let ends: Promise<unknown> = Promise.resolve()
  await store.write.transaction().execute(async (trx) => {
    await lockLanes(trx)
    // Its receiver is gone: lane, then webhook.
    const gone = giveUp(store, lease, 'gone', 2_000)
    await untilWaiting(1)
    const changed = changeWebhook(store, tenant.account.id, webhook.id, { name: 'new' }, 2_000)
    await untilWaiting(2)
    expect(await free('webhook')).toBe(1)
    ends = Promise.all([gone, changed])
  })
  expect(await ends).toMatchObject([true, { name: 'new', enabled: false, disabled_reason: 'gone' }])
})

test('leases are returned behind their lanes', async () => {
  await makeWebhook(store, tenant)
  await accept(store, tenant, [callEvent(tenant, 'a')])
  await claim(store, 1_000)
  let returned: Promise<unknown> = Promise.resolve()
  await store.write.transaction().execute(async (trx) => {
    await lockLanes(trx)
    returned = reapLeases(store, [], 999_999)
    await untilWaiting(1)
    expect(await free('delivery')).toBe(1)
  })
  expect(await returned).toBe(1)
})
