/**
 * Sending again what ended: the delivery goes back to `pending` with a new round of tries. There is no second row, so
 * to ask twice is harmless: what is pending already is left alone. It waits behind everything that is live (turn 1).
 */
import { type RawBuilder, sql } from 'kysely'
import type { Step, WalkPlace } from '#server/store/bulk.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { dueAgain, lockLane } from '#server/store/lanes.ts'
import { numberOfId } from '#server/store/new-id.ts'
import type { Store, Trx } from '#server/store/store.ts'

/** Attempts that a delivery may have had to be sent again: far below `mostAttempts`, for the round that follows. */
const mostBefore = 2_000

/**
 * Sends one delivery again. `under_way`: it is pending or leased, nothing changed; `worn_out`: it was tried thousands of
 * times; null: the account has no such delivery.
 */
export async function resendDelivery(
  store: Store,
  accountId: string,
  id: string,
  now: number,
): Promise<'resent' | 'under_way' | 'worn_out' | null> {
  const seq = numberOfId('delivery', id)
  const delivery = seq === null ? null : await getDelivery(store, accountId, id)
  if (seq === null || delivery === null) return null
  const { webhook_id: webhookId } = delivery
  const result = await store.write.transaction().execute(async (trx) => {
    await lockLane(trx, webhookId)
    if ((await putBack(trx, webhookId, sql`seq = ${seq}`, now)) === 1) {
      await probeNow(trx, webhookId, now)
      return 'resent'
    }
    const row = await trx
      .selectFrom('delivery')
      .select('state')
      .where('seq', '=', seq)
      .executeTakeFirst()
    if (row === undefined) return null
    return row.state === 'pending' || row.state === 'leased' ? 'under_way' : 'worn_out'
  })
  if (result === 'resent') store.ringDue()
  return result
}

/**
 * One step of sending again all deliveries of a webhook that were given up in the period (epoch milliseconds;
 * `since` belongs to it, `until` does not).
 */
export async function recoverStep(
  store: Store,
  webhookId: string,
  period: { readonly since: number; readonly until: number },
  { after, startedAt }: WalkPlace,
  limit: number,
  now: number,
): Promise<Step> {
  const rows = await store.read
    .selectFrom('delivery')
    .select(['seq', 'finished_at'])
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'exhausted')
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute()
  const until = Math.min(period.until, startedAt + 1)
  const seqs = rows
    .filter((row) => (row.finished_at ?? 0) >= period.since && (row.finished_at ?? 0) < until)
    .map((row) => row.seq)
  const changed = seqs.length === 0 ? 0 : await recover(store, webhookId, seqs, now)
  return { changed, next: rows.length < limit ? null : (rows.at(-1)?.seq ?? null) }
}

async function recover(
  store: Store,
  webhookId: string,
  seqs: readonly number[],
  now: number,
): Promise<number> {
  const changed = await store.write.transaction().execute(async (trx) => {
    await lockLane(trx, webhookId)
    const list = JSON.stringify(seqs.map((seq) => ({ seq })))
    const among = sql`state = 'exhausted' and seq in (
      select cast(r.value ->> 'seq' as bigint) from ${store.facts.rowsOf(list, 'r')})`
    return await putBack(trx, webhookId, among, now)
  })
  store.ringDue()
  return changed
}

/** Returns how many were put back. */
async function putBack(
  trx: Trx,
  webhookId: string,
  which: RawBuilder<unknown>,
  now: number,
): Promise<number> {
  const put = await sql<{ seq: number }>`
    update delivery set state = 'pending', turn = 1, due_at = ${now}, round_attempts = 0,
      resends = resends + 1, finished_at = null, given_up_because = null
    where webhook_id = ${webhookId} and state in ('exhausted', 'cancelled', 'delivered') and ${which}
      and attempts <= ${mostBefore}
    returning seq`.execute(trx)
  if (put.rows.length > 0) {
    await sql`update lane set next_due = ${dueAgain(now)} where webhook_id = ${webhookId}`.execute(
      trx,
    )
  }
  return put.rows.length
}

/** Somebody asks for it, so somebody thinks that the receiver is back: an open breaker lets its probe go at once. */
async function probeNow(trx: Trx, webhookId: string, now: number): Promise<void> {
  await trx
    .updateTable('lane')
    .set({ breaker_until: now, next_due: now })
    .where('webhook_id', '=', webhookId)
    .where('breaker', '=', 'open')
    .where('held', '=', 0)
    .execute()
}
