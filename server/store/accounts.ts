import { newId } from '#server/store/new-id.ts'
import type { Db, Store } from '#server/store/store.ts'

export interface Account {
  readonly id: string
  readonly name: string
}

/** The account of that name; made when there is none. */
export async function ensureAccount(store: Store, name: string, now: number): Promise<Account> {
  await store.write
    .insertInto('account')
    .values({ id: newId('account'), name, matching_version: 0, created_at: now })
    .onConflict((c) => c.column('name').doNothing())
    .execute()
  return await store.write
    .selectFrom('account')
    .select(['id', 'name'])
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
}

export async function getAccount(store: Store, id: string): Promise<Account | null> {
  const row = await store.read
    .selectFrom('account')
    .select(['id', 'name'])
    .where('id', '=', id)
    .executeTakeFirst()
  return row ?? null
}

/** Belongs into every transaction that changes which events fire which webhooks; see `matching.ts`. */
export async function touchMatching(db: Db, accountId: string): Promise<void> {
  await db
    .updateTable('account')
    .set((e) => ({ matching_version: e('matching_version', '+', 1) }))
    .where('id', '=', accountId)
    .execute()
}
