import { sql } from 'kysely'
import { dueAgain } from '#server/store/lanes.ts'
import type { Store, Trx } from '#server/store/store.ts'

/**
 * Returns leases that ran out: their process died, or its answer came too late. They count no attempt, so the next
 * one has the same number, and the same `webhook-id` goes out again. Returns how many.
 */
export async function reapLeases(store: Store, now: number): Promise<number> {
  return await giveBack(store, sql`lease_until <= ${now}`, now)
}

/**
 * At start: every lease there is was left by a process that is no more, where only one process can be on the
 * database; so nobody has to wait for them to run out. Else the same as `reapLeases`.
 */
export async function reapAtStart(store: Store, now: number): Promise<number> {
  return store.facts.singleProcess
    ? await giveBack(store, sql`true`, now)
    : await reapLeases(store, now)
}

/** At a stop: returns the leases of these deliveries, unless their claim has ended already. */
export async function returnLeases(
  store: Store,
  leases: readonly { readonly deliverySeq: number; readonly claimId: string }[],
  now: number,
): Promise<number> {
  const rows = leases.map(({ deliverySeq, claimId }) => ({ seq: deliverySeq, claim: claimId }))
  const mine = sql`(seq, claim_id) in (
    select cast(r.value ->> 'seq' as bigint), r.value ->> 'claim'
    from ${store.facts.rowsOf(JSON.stringify(rows), 'r')})`
  return await giveBack(store, mine, now)
}

async function giveBack(store: Store, which: ReturnType<typeof sql>, now: number): Promise<number> {
  const returned = await store.write.transaction().execute(async (trx) => {
    const rows = await sql<{ webhook_id: string }>`
      update delivery set state = 'pending', claim_id = null, lease_until = null
      where state = 'leased' and ${which}
      returning webhook_id`.execute(trx)
    await recount(trx, store, now)
    return rows.rows.length
  })
  if (returned > 0) store.ringDue()
  return returned
}

/**
 * Sets each lane's counter to what is really leased. Claim and finish keep it exact; what they cannot see is a
 * database that was mended by hand or restored.
 */
async function recount(trx: Trx, _store: Store, now: number): Promise<void> {
  const leased = sql`(select count(*) from delivery
    where delivery.webhook_id = lane.webhook_id and delivery.state = 'leased')`
  await sql`
    update lane set in_flight = ${leased}, next_due = ${dueAgain(now)}
    where in_flight > 0 and in_flight <> ${leased}`.execute(trx)
}
