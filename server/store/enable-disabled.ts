import { touchMatching } from '#server/store/accounts.ts'
import type { Step, Walk } from '#server/store/bulk.ts'
import { releaseLane } from '#server/store/release.ts'
import type { Store } from '#server/store/store.ts'

/**
 * One step of switching on the webhooks of the account that were disabled automatically (`gone`, `failing`). Those that
 * a user disabled stay off: somebody decided so.
 */
export async function enableDisabledStep(
  store: Store,
  accountId: string,
  { after }: Walk,
  limit: number,
  now: number,
): Promise<Step> {
  const rows = await store.write.transaction().execute(async (trx) => {
    const enabled = await trx
      .updateTable('webhook')
      .set({ enabled: 1, disabled_reason: null, updated_at: now })
      .where('seq', 'in', (e) =>
        e
          .selectFrom('webhook')
          .select('seq')
          .where('account_id', '=', accountId)
          .where('deleted_at', 'is', null)
          .where('enabled', '=', 0)
          .where('disabled_reason', 'in', ['gone', 'failing'])
          .limit(limit),
      )
      .returning('id')
      .execute()
    for (const { id } of enabled) await releaseLane(trx, id, now)
    if (enabled.length > 0) await touchMatching(trx, accountId)
    return enabled
  })
  if (rows.length > 0) store.ringDue()
  return { changed: rows.length, next: rows.length < limit ? null : after }
}
