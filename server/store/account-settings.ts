/** What an account sets for all its webhooks. */
import { randomBytes } from 'node:crypto'
import type { Account, AccountChange } from '#contracts/account.ts'
import type { HangupCauses } from '#contracts/webhook/hangup-causes.ts'
import { touchMatching } from '#server/store/accounts.ts'
import { type Check, type Db, type Store, unchecked } from '#server/store/store.ts'

/** Throws when there is no such account: its API key was just looked up. */
export async function getAccountSettings(db: Db, id: string): Promise<Account> {
  const row = await db
    .selectFrom('account')
    .select(['id', 'name', 'hangup_causes'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return { id: row.id, name: row.name, hangup_causes: readCauses(row.hangup_causes) }
}

/** The column in its type. */
export const readCauses = (json: string | null) => JSON.parse(json ?? '{}') as HangupCauses

export async function changeAccountSettings(
  store: Store,
  id: string,
  { hangup_causes: causes }: AccountChange,
  check: Check<Account> = unchecked,
): Promise<Account> {
  return await store.write.transaction().execute(async (trx) => {
    // Locks the account; and what is told of its webhooks has another version from now on.
    await touchMatching(trx, id)
    check(await getAccountSettings(trx, id))
    if (causes !== undefined) {
      const none = Object.keys(causes).length === 0
      await trx
        .updateTable('account')
        .set({
          hangup_causes: none ? null : JSON.stringify(causes),
          hangup_causes_version: none ? null : randomBytes(12).toString('base64url'),
        })
        .where('id', '=', id)
        .execute()
    }
    return await getAccountSettings(trx, id)
  })
}
