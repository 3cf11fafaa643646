import { type RawBuilder, sql } from 'kysely'
import type { DialectFacts } from '#server/store/dialect.ts'
import { dueAgain } from '#server/store/lanes.ts'
import type { Store, Trx } from '#server/store/store.ts'

interface Held {
  readonly deliverySeq: number
  readonly claimId: string
}

/**
 * Returns leases that ran out: their process died. They count no attempt, so the next one has the same number, and the
 * same `webhook-id` goes out again. `alive` are the claims that this process still works on: a jump of the clock must
 * not take from it what it is about to finish. Those of other nodes that are registered are theirs to return, by their
 * own clocks; when one dies, `removeNode` returns them at once. Returns how many.
 */
export async function reapLeases(
  store: Store,
  alive: readonly Pick<Held, 'claimId'>[],
  now: number,
): Promise<number> {
  const claims = [...new Set(alive.map(({ claimId }) => claimId))].map((claim) => ({ claim }))
  const dead = sql`lease_until <= ${now} and claim_id not in (
    select r.value ->> 'claim' from ${store.facts.rowsOf(JSON.stringify(claims), 'r')})
    and not exists (
      select 1 from node where node.id <> ${store.node} and delivery.claim_id like node.id || '.%')`
  return await giveBack(store, dead, now, null)
}

/**
 * At start: every lease there is was left by a process that is no more, where only one process can be on the
 * database; so nobody has to wait for them to run out. Else the same as `reapLeases`.
 */
export async function reapAtStart(store: Store, now: number): Promise<number> {
  return store.facts.singleProcess
    ? await giveBack(store, sql`true`, now, null)
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
  return await giveBack(store, mine, now, dueAt)
}

async function giveBack(
  store: Store,
  which: RawBuilder<unknown>,
  now: number,
  dueAt: number | null,
): Promise<number> {
  const due = dueAt === null ? sql.ref('due_at') : sql`${dueAt}`
  const returned = await store.write.transaction().execute(async (trx) => {
    const rows = await sql<{ webhook_id: string }>`
      update delivery set state = 'pending', claim_id = null, lease_until = null, due_at = ${due}
      where state = 'leased' and ${which}
      returning webhook_id`.execute(trx)
    await recountLanes(trx, store.facts, now)
    return rows.rows.length
  })
  if (returned > 0) store.ringDue()
  return returned
}

/**
 * Sets each lane's counter to what is really leased: for the leases just returned, and for what claim and finish
 * cannot see, a database that was mended by hand or restored.
 *
 * Where many write at once the lanes are locked first, and then counted by a statement of its own: whoever changes a
 * lease changes its lane in the same transaction, so that nothing is counted twice or missed.
 */
export async function recountLanes(trx: Trx, facts: DialectFacts, now: number): Promise<void> {
  const leased = sql`(select count(*) from delivery
    where delivery.webhook_id = lane.webhook_id and delivery.state = 'leased')`
  const wrong = await sql<{ webhook: string }>`
    select lane.webhook_id as webhook from lane
    where lane.in_flight > 0 and lane.in_flight <> ${leased}
    order by lane.webhook_id ${facts.awaitRows('lane')}`.execute(trx)
  if (wrong.rows.length === 0) return
  await sql`
    update lane set in_flight = ${leased}, next_due = ${dueAgain(now)}
    where webhook_id in (
      select r.value ->> 'webhook' from ${facts.rowsOf(JSON.stringify(wrong.rows), 'r')})`.execute(
    trx,
  )
}
