/** What only many transactions at once can break. */
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { acceptEvents } from '#server/store/accept.ts'
import { touchMatching } from '#server/store/accounts.ts'
import { claimDue, type Lease, nextDueAt } from '#server/store/claim.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { lockLane } from '#server/store/lanes.ts'
import type { Store } from '#server/store/store.ts'
import {
  accept,
  acceptanceOf,
  callEvent,
  claim,
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

async function waitsForALock(): Promise<boolean> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(store.read)
  return (rows[0]?.count ?? 0) > 0
}

test('a delivery that is accepted while an outcome waits for its lane is not forgotten', async () => {
  await makeWebhook(store, tenant, { order: 'none' })
  await accept(store, tenant, [callEvent(tenant, 'a')])
  const [lease] = (await claim(store, 1_000)).leases
  if (lease === undefined) throw new Error('no lease')
  expect(await nextDueAt(store)).toBeNull()
  let finished: Promise<boolean> | null = null
  // What `acceptEvents` does to the two tables, held open until the outcome has come to the lane.
  await store.write.transaction().execute(async (trx) => {
    await sql`
      insert into delivery (account_id, webhook_id, event_seq, event_day, state, turn, due_at, attempts, created_at)
      select account_id, webhook_id, event_seq, event_day, 'pending', 0, due_at, 0, created_at
      from delivery`.execute(trx)
    await sql`update lane set next_due = 1000`.execute(trx)
    finished = succeed(store, lease, 1_100)
    await waitUntil(waitsForALock, { what: 'the outcome waits for the lane' })
  })
  expect(await finished).toBe(true)
  expect(await nextDueAt(store)).toBe(1_100)
  expect((await claim(store, 1_200)).leases).toHaveLength(1)
})

test('an event that is accepted while its webhook changes is sent as the webhook is after that', async () => {
  const { id } = await makeWebhook(store, tenant, { order: 'none', url: 'http://127.0.0.1:9/old' })
  const taken: Lease[] = []
  store.courier = {
    room: () => ({ limit: 100, ahead: 0 }),
    take: (leases) => taken.push(...leases),
    setAside: async (_webhookId, work) => ({ result: await work(), cameBack: false }),
  }
  await accept(store, tenant, [callEvent(tenant, 'before')])
  expect(taken.map((lease) => lease.webhook.url)).toEqual(['http://127.0.0.1:9/old'])
  let accepted: Promise<void> | null = null
  // What `changeWebhook` does, held open until the event has come to the lane.
  await store.write.transaction().execute(async (trx) => {
    await lockLane(trx, id)
    await sql`update webhook set url = 'http://127.0.0.1:9/new'`.execute(trx)
    await touchMatching(trx, tenant.account.id)
    accepted = accept(store, tenant, [callEvent(tenant, 'meanwhile')])
    await waitUntil(waitsForALock, { what: 'the event waits for the lane' })
  })
  await accepted
  const urls = [...taken.slice(1), ...(await claim(store, 1_000)).leases].map((l) => l.webhook.url)
  expect(urls).toEqual(['http://127.0.0.1:9/new'])
  // Of what comes then nothing has to wait.
  await accept(store, tenant, [callEvent(tenant, 'after')])
  expect(taken.at(-1)?.webhook.url).toBe('http://127.0.0.1:9/new')
})

test('accepting, claiming and finishing at once on several connections leaves nothing over', async () => {
  const webhooks = 8
  for (let i = 0; i < webhooks; i += 1) {
    await makeWebhook(store, tenant, { order: i % 2 === 0 ? 'none' : 'first_try', concurrency: 3 })
  }
  const events = 60
  let accepting = true
  const accepted = (async () => {
    for (let i = 0; i < events; i += 1) {
      const event = callEvent(tenant, `call ${i % 7}`, i + 1)
      await acceptEvents(store, acceptanceOf(tenant, [event], { now: 1_000 + i }))
    }
    accepting = false
  })()
  // Each of them as a node of its own would do.
  const seen = new Map<number, number>()
  const work = async () => {
    for (let idle = 0; idle < 20; ) {
      const { leases } = await claimDue(store, { now: 5_000, limit: 5, troubledLimit: 5 })
      idle = leases.length > 0 || accepting ? 0 : idle + 1
      await Promise.all(
        leases.map(async (lease) => {
          seen.set(lease.deliverySeq, (seen.get(lease.deliverySeq) ?? 0) + 1)
          expect(await succeed(store, lease, 5_000)).toBe(true)
        }),
      )
    }
  }
  await Promise.all([accepted, work(), work(), work()])
  const counts = await countDeliveries(store, tenant.account.id, null)
  expect(counts).toMatchObject({ delivered: events * webhooks, pending: 0, leased: 0 })
  expect([...seen.values()].every((times) => times === 1)).toBe(true)
  const lanes = await store.read.selectFrom('lane').select('in_flight').execute()
  expect(lanes.every((lane) => lane.in_flight === 0)).toBe(true)
})
