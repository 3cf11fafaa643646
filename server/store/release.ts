import { dueAgain } from '#server/store/lanes.ts'
import type { Db } from '#server/store/store.ts'

/** The webhook is enabled again: what was held is due, as many at a time as the lane has room for. */
export async function releaseLane(db: Db, webhookId: string, now: number): Promise<void> {
  await db
    .updateTable('lane')
    .set({ held: 0, failures: 0 })
    .where('webhook_id', '=', webhookId)
    .execute()
  await db
    .updateTable('lane')
    .set({ next_due: dueAgain(now) })
    .where('webhook_id', '=', webhookId)
    .execute()
}
