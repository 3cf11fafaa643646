import { closedBreaker } from '#server/domain/breaker.ts'
import { breakerColumns } from '#server/store/breaker-columns.ts'
import { dueAgain } from '#server/store/lanes.ts'
import type { Db } from '#server/store/store.ts'

const closed = breakerColumns(closedBreaker)

/**
 * The webhook is enabled again: what was held is due, as many at a time as the lane has room for. Whoever enables it
 * has mended something, so the breaker begins anew.
 */
export async function releaseLane(db: Db, webhookId: string, now: number): Promise<void> {
  await db
    .updateTable('lane')
    .set({ held: 0, ...closed })
    .where('webhook_id', '=', webhookId)
    .execute()
  await db
    .updateTable('lane')
    .set({ next_due: dueAgain(now) })
    .where('webhook_id', '=', webhookId)
    .execute()
}
