import { touchMatching } from '#server/store/accounts.ts'
import type { Step, WalkPlace } from '#server/store/bulk.ts'
import { lockLanes } from '#server/store/lanes.ts'
import { releaseLane } from '#server/store/release.ts'
import type { Store } from '#server/store/store.ts'

/**
 * One step of switching on the webhooks of the account that were disabled automatically (`gone`, `failing`). Those that
 * a user disabled stay off: somebody decided so.
 */
export async function enableDisabledStep(
  store: Store,
  accountId: string,
  { after }: WalkPlace,
  limit: number,
  now: number,
): Promise<Step> {
  const { found, enabled } = await store.write.transaction().execute(async (trx) => {
    const disabled = await trx
      .selectFrom('webhook')
      .select('id')
      .where('account_id', '=', accountId)
      .where('deleted_at', 'is', null)
      .where('enabled', '=', 0)
      .where('disabled_reason', 'in', ['gone', 'failing'])
      .limit(limit)
      .execute()
    const ids = disabled.map(({ id }) => id)
    if (ids.length === 0) return { found: 0, enabled: 0 }
    await lockLanes(trx, store.facts, ids)
    const enabled = await trx
      .updateTable('webhook')
      .set({ enabled: 1, disabled_reason: null, updated_at: now })
      .where('id', 'in', ids)
      .where('deleted_at', 'is', null)
      // Somebody may have decided otherwise meanwhile.
      .where('disabled_reason', 'in', ['gone', 'failing'])
      .returning('id')
      .execute()
    for (const { id } of enabled) await releaseLane(trx, id, now)
    if (enabled.length > 0) await touchMatching(trx, accountId)
    return { found: ids.length, enabled: enabled.length }
  })
  if (enabled > 0) store.ringDue()
  return { changed: enabled, next: found < limit ? null : after }
}
