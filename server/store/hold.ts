import type { Db } from '#server/store/store.ts'

/**
 * Holds the deliveries of a disabled webhook: nothing of its lane is claimed until `releaseLane`. One row changes,
 * however many deliveries wait: their state stays `pending` in the table and is told as `held`.
 */
export async function holdLane(db: Db, webhookId: string): Promise<void> {
  await db
    .updateTable('lane')
    .set({ held: 1, next_due: null })
    .where('webhook_id', '=', webhookId)
    .execute()
}
