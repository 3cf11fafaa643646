import { touchMatching } from '#server/store/accounts.ts'
import type { Step, WalkPlace } from '#server/store/bulk.ts'
import { lockLanes } from '#server/store/lanes.ts'
import { releaseLane } from '#server/store/release.ts'
import type { Store } from '#server/store/store.ts'

/**
 * One step of switching on the webhooks of the account that were disabled automatically (`gone`, `failing`). Those that
 * a user disabled stay off: somebody decided so. Each is visited once: those that are disabled again meanwhile would
 * have the walk go round for ever.
 */
export async function enableDisabledStep(
  store: Store,
  accountId: string,
  { after }: WalkPlace,
  limit: number,
  now: number,
): Promise<Step> {
  const { last, enabled } = await store.write.transaction().execute(async (trx) => {
    const disabled = await trx
      .selectFrom('webhook')
      .select(['seq', 'id'])
      .where('account_id', '=', accountId)
      .where('seq', '>', after)
      .where('deleted_at', 'is', null)
      .where('enabled', '=', 0)
      .where('disabled_reason', 'in', ['gone', 'failing'])
      .orderBy('seq')
      .limit(limit)
      .execute()
    const ids = disabled.map(({ id }) => id)
    if (ids.length === 0) return { last: null, enabled: 0 }
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
    const last = ids.length < limit ? null : (disabled.at(-1)?.seq ?? null)
    return { last, enabled: enabled.length }
  })
  if (enabled > 0) store.ringDue()
  return { changed: enabled, next: last }
}
