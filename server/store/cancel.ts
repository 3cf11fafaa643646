/** Cancelling: what waits is not sent any more, and what was given up stops holding back the call. */
import { type RawBuilder, sql } from 'kysely'
import type { Step, WalkPlace } from '#server/store/bulk.ts'
import { whileSetAside } from '#server/store/courier.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { dueAgain, lockLane } from '#server/store/lanes.ts'
import { numberOfId } from '#server/store/new-id.ts'
import type { Store, Trx } from '#server/store/store.ts'

/**
 * Cancels a delivery that waits (pending or held) or was given up. `not_waiting`: it is under way, leased by another
 * process, or delivered; null:
 * the account has no such delivery. To cancel twice is harmless.
 */
export async function cancelDelivery(
  store: Store,
  accountId: string,
  id: string,
  now: number,
): Promise<'cancelled' | 'not_waiting' | null> {
  const seq = numberOfId('delivery', id)
  const delivery = seq === null ? null : await getDelivery(store, accountId, id)
  if (seq === null || delivery === null) return null
  if (delivery.state === 'cancelled') return 'cancelled'
  const { webhook_id: webhookId } = delivery
  const { result: cancelled } = await whileSetAside(store, webhookId, async () =>
    store.write.transaction().execute(async (trx) => {
      await lockLane(trx, webhookId)
      const which = sql`seq = ${seq} and state in ('pending', 'exhausted')`
      return await cancel(trx, webhookId, which, now)
    }),
  )
  if (cancelled === 0) return 'not_waiting'
  store.ringDue()
  return 'cancelled'
}

/** One step of cancelling everything of a webhook that was waiting when the walk began. */
export async function cancelWaitingStep(
  store: Store,
  webhookId: string,
  { after, startedAt }: WalkPlace,
  limit: number,
  now: number,
): Promise<Step> {
  const { result: changed, cameBack } = await whileSetAside(store, webhookId, async () =>
    store.write.transaction().execute(async (trx) => {
      await lockLane(trx, webhookId)
      // Those of an earlier step are not pending any more, so that there is no place to remember.
      const which = sql`seq in (
        select seq from delivery
        where webhook_id = ${webhookId} and state = 'pending' and created_at <= ${startedAt}
        limit ${limit})`
      return await cancel(trx, webhookId, which, now)
    }),
  )
  if (changed > 0) store.ringDue()
  // What came back may have been leased before this transaction, which then did not see it.
  const over = changed < limit && (changed === 0 || !cameBack)
  return { changed, next: over ? null : after }
}

async function cancel(
  trx: Trx,
  webhookId: string,
  which: RawBuilder<unknown>,
  now: number,
): Promise<number> {
  const rows = await sql<{ seq: number }>`
    update delivery set state = 'cancelled', finished_at = ${now}, given_up_because = null
    where webhook_id = ${webhookId} and ${which}
    returning seq`.execute(trx)
  if (rows.rows.length > 0) {
    // Later events of the call may have waited for it.
    await sql`update lane set next_due = ${dueAgain(now)} where webhook_id = ${webhookId}`.execute(
      trx,
    )
  }
  return rows.rows.length
}
