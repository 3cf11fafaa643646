/**
 * Retention. Every step is a small transaction, so that nobody else waits for it; the caller goes on from the number
 * that a step returns until it is null.
 *
 * Rows are walked in the order of their numbers, which is that of their creation: what may go stands at the beginning,
 * and no index has to be kept for it.
 */
import type { Db, Store } from '#server/store/store.ts'

export interface PruneRequest {
  /** Epoch milliseconds: what ended before may go. */
  readonly before: number
  readonly now: number
  /** Rows looked at in one step. */
  readonly limit: number
}

export interface PruneStep {
  readonly removed: number
  /** Where the next step begins; null: nothing older is left. */
  readonly next: number | null
}

/**
 * Removes deliveries that ended before the time, with their attempts. What was held for as long as that is given up:
 * it shows as exhausted for another such period, and then goes too.
 */
export async function pruneDeliveries(
  store: Store,
  after: number,
  { before, now, limit }: PruneRequest,
): Promise<PruneStep> {
  return await store.write.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('delivery')
      .leftJoin('lane', 'lane.webhook_id', 'delivery.webhook_id')
      .select(['seq', 'state', 'delivery.created_at', 'delivery.finished_at', 'lane.held'])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute()
    const old = rows.filter((row) => row.created_at < before)
    const over = old.filter((row) => row.finished_at !== null && row.finished_at < before)
    const held = old.filter((row) => row.state === 'pending' && row.held === 1)
    await removeDeliveries(
      trx,
      over.map((row) => row.seq),
    )
    if (held.length > 0) {
      await trx
        .updateTable('delivery')
        .set({ state: 'exhausted', finished_at: now })
        .where(
          'seq',
          'in',
          held.map((row) => row.seq),
        )
        .execute()
    }
    const last = rows.at(-1)
    const more = rows.length === limit && old.length === rows.length && last !== undefined
    return { removed: over.length, next: more ? last.seq : null }
  })
}

async function removeDeliveries(db: Db, seqs: readonly number[]): Promise<void> {
  if (seqs.length === 0) return
  await db.deleteFrom('attempt').where('delivery_seq', 'in', seqs).execute()
  await db.deleteFrom('delivery').where('seq', 'in', seqs).execute()
}

/** Removes events from before the time that no delivery speaks of any more, with their bodies. */
export async function pruneEvents(
  store: Store,
  after: number,
  { before, limit }: PruneRequest,
): Promise<PruneStep> {
  return await store.write.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('event')
      .select((e) => [
        'seq',
        'created_at',
        e
          .exists(
            e
              .selectFrom('delivery')
              .select('delivery.seq')
              .whereRef('delivery.event_seq', '=', 'event.seq'),
          )
          .as('used'),
      ])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute()
    const old = rows.filter((row) => row.created_at < before)
    const seqs = old.filter((row) => !row.used).map((row) => row.seq)
    if (seqs.length > 0) {
      await trx.deleteFrom('event_body').where('event_seq', 'in', seqs).execute()
      await trx.deleteFrom('event').where('seq', 'in', seqs).execute()
    }
    const last = rows.at(-1)
    const more = rows.length === limit && old.length === rows.length && last !== undefined
    return { removed: seqs.length, next: more ? last.seq : null }
  })
}

/** Removes deliveries of deleted webhooks, and at last the webhooks; `false`: there is nothing left to remove. */
export async function pruneDeletedWebhooks(store: Store, limit: number): Promise<boolean> {
  return await store.write.transaction().execute(async (trx) => {
    const webhook = await trx
      .selectFrom('webhook')
      .select('id')
      .where('deleted_at', 'is not', null)
      .orderBy('deleted_at')
      .limit(1)
      .executeTakeFirst()
    if (webhook === undefined) return false
    const rows = await trx
      .selectFrom('delivery')
      .select('seq')
      .where('webhook_id', '=', webhook.id)
      .orderBy('seq')
      .limit(limit)
      .execute()
    await removeDeliveries(
      trx,
      rows.map((row) => row.seq),
    )
    if (rows.length < limit) await trx.deleteFrom('webhook').where('id', '=', webhook.id).execute()
    return true
  })
}
