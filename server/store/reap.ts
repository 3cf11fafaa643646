import { type RawBuilder, sql } from 'kysely'
import type { DialectFacts } from '#server/store/dialect.ts'
import { dueAgain, lockLanes } from '#server/store/lanes.ts'
import type { Store, Trx } from '#server/store/store.ts'

interface Held {
  readonly deliverySeq: number
  readonly claimId: string
}

/**
 * Returns leases that ran out: their process died. They count no attempt, so the next one has the same number, and the
 * same `webhook-id` goes out again. `alive` are the claims that this process still works on: a jump of the clock must
 * not take from it what it is about to finish. Those of other nodes that are registered are theirs to return, by their
 * own clocks; when one dies, `removeNode` returns them at once. What this process leased in transactions of which it never
 * learnt that they were committed has not to run out. Returns how many.
 */
export async function reapLeases(
  store: Store,
  alive: readonly Pick<Held, 'claimId'>[],
  now: number,
): Promise<number> {
  const claims = [...new Set(alive.map(({ claimId }) => claimId))].map((claim) => ({ claim }))
  const dead = sql`claim_id not in (
      select r.value ->> 'claim' from ${store.facts.rowsOf(JSON.stringify(claims), 'r')})
    and (claim_id like ${`${store.node}.%`} and claim_id not like ${`${store.holder()}.%`}
      or lease_until <= ${now} and not exists (
        select 1 from node where node.id <> ${store.node} and delivery.claim_id like node.id || '.%'))`
  if (!store.facts.singleProcess) await takeLanes(store)
  return await giveBack(store, { which: dead, anyLane: true }, now, null)
}

/**
 * Lanes that several had leases of, and this process alone has now. While they are busy nothing else would find that out,
 * and they would be claimed a few at a time for ever.
 */
async function takeLanes(store: Store): Promise<void> {
  const holder = store.holder()
  const others = sql`in_flight > 0 and (holder is null or holder <> ${holder})`
  await store.write.transaction().execute(async (trx) => {
    const { rows } = await sql<{ webhook: string }>`
      select webhook_id as webhook from lane where ${others} limit 1000`.execute(trx)
    const webhooks = rows.map(({ webhook }) => webhook)
    await lockLanes(trx, store.facts, webhooks)
    await sql`
      update lane set holder = ${holder}
      where ${others} and webhook_id in (
          select r.value ->> 'webhook' from ${store.facts.rowsOf(JSON.stringify(rows), 'r')})
        and not exists (
          select 1 from delivery
          where delivery.webhook_id = lane.webhook_id and delivery.state = 'leased'
            and delivery.claim_id not like ${`${holder}.%`})`.execute(trx)
  })
}

/**
 * At start: every lease there is was left by a process that is no more, where only one process can be on the
 * database; so nobody has to wait for them to run out. Else the same as `reapLeases`.
 */
export async function reapAtStart(store: Store, now: number): Promise<number> {
  return store.facts.singleProcess
    ? await giveBack(store, { which: sql`true`, anyLane: true }, now, null)
    : await reapLeases(store, [], now)
}

/**
 * Gives up leases without an attempt: at a stop, or when we ourselves could not make the request. `dueAt` puts the
 * deliveries off; null: due as they were. Leases of other claims stay as they are.
 */
export async function returnLeases(
  store: Store,
  leases: readonly Held[],
  now: number,
  dueAt: number | null,
): Promise<number> {
  const rows = leases.map(({ deliverySeq, claimId }) => ({ seq: deliverySeq, claim: claimId }))
  const mine = sql`(seq, claim_id) in (
    select cast(r.value ->> 'seq' as bigint), r.value ->> 'claim'
    from ${store.facts.rowsOf(JSON.stringify(rows), 'r')})`
  return await giveBack(store, { which: mine, anyLane: false }, now, dueAt)
}

interface Returned {
  /** Of the leases, as a condition on `delivery`. */
  readonly which: RawBuilder<unknown>
  /**
   * Also looks for lanes whose counter is wrong otherwise, in a database that was mended by hand or restored. That reads
   * every lane there is: for what is done now and then, not with every failure of a webhook among ten thousand.
   */
  readonly anyLane: boolean
}

async function giveBack(
  store: Store,
  returned: Returned,
  now: number,
  dueAt: number | null,
): Promise<number> {
  const count = await store.write
    .transaction()
    .execute(async (trx) => await returnInto(trx, store.facts, returned, now, dueAt))
  if (count > 0) store.ringDue()
  return count
}

/**
 * Part of a transaction: returns the leases that `which` is true of, and sets the counters of their lanes to what is
 * really leased. Whoever changes a lease has its lane, so that nothing is counted twice or missed. Returns how many.
 */
export async function returnInto(
  trx: Trx,
  facts: DialectFacts,
  { which, anyLane }: Returned,
  now: number,
  dueAt: number | null,
): Promise<number> {
  const leased = sql`(select count(*) from delivery
    where delivery.webhook_id = lane.webhook_id and delivery.state = 'leased')`
  const concerned = await sql<{ webhook: string }>`
    select distinct webhook_id as webhook from delivery where state = 'leased' and ${which}
    ${anyLane ? sql`union select webhook_id from lane where in_flight > 0 and in_flight <> ${leased}` : sql``}`.execute(
    trx,
  )
  if (concerned.rows.length === 0) return 0
  await lockLanes(
    trx,
    facts,
    concerned.rows.map(({ webhook }) => webhook),
  )
  const due = dueAt === null ? sql.ref('due_at') : sql`${dueAt}`
  const lanes = sql`(
    select r.value ->> 'webhook' from ${facts.rowsOf(JSON.stringify(concerned.rows), 'r')})`
  const returned = await sql<{ seq: number }>`
    update delivery set state = 'pending', claim_id = null, lease_until = null, due_at = ${due}
    where state = 'leased' and webhook_id in ${lanes} and ${which}
    returning seq`.execute(trx)
  await sql`
    update lane set in_flight = ${leased}, next_due = ${dueAgain(now)}
    where webhook_id in ${lanes} and in_flight <> ${leased}`.execute(trx)
  return returned.rows.length
}
