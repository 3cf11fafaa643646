import { createHash, randomBytes } from 'node:crypto'
import type { Account } from '#server/store/accounts.ts'
import { newId } from '#server/store/new-id.ts'
import type { Store } from '#server/store/store.ts'

/** As it is listed; the key itself is shown once, by `createApiKey`. `createdAt` is epoch milliseconds. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly createdAt: number
}

/** 256 bits of chance: a fast hash is enough, there is nothing to guess. */
const keyBytes = 32
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')

/** Makes a key for the account. `key` (`ohk_…`) cannot be read again: only its SHA-256 is kept. */
export async function createApiKey(
  store: Store,
  accountId: string,
  name: string,
  now: number,
): Promise<ApiKey & { readonly key: string }> {
  const key = `ohk_${randomBytes(keyBytes).toString('base64url')}`
  const id = newId('apiKey')
  await store.write
    .insertInto('api_key')
    .values({ id, account_id: accountId, name, hash: hashOf(key), created_at: now })
    .execute()
  return { id, name, createdAt: now, key }
}

/**
 * The account that the key opens; null for an unknown key. The search is by hash: how long it takes tells nothing
 * about how much of a guess was right.
 */
export async function findAccountByApiKey(store: Store, key: string): Promise<Account | null> {
  const row = await store.read
    .selectFrom('api_key')
    .innerJoin('account', 'account.id', 'api_key.account_id')
    .select(['account.id', 'account.name'])
    .where('api_key.hash', '=', hashOf(key))
    .executeTakeFirst()
  return row ?? null
}

/** Newest first. */
export async function listApiKeys(store: Store, accountId: string): Promise<readonly ApiKey[]> {
  const rows = await store.read
    .selectFrom('api_key')
    .select(['id', 'name', 'created_at as createdAt'])
    .where('account_id', '=', accountId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute()
  return rows
}

/** False: the account has no such key. */
export async function deleteApiKey(store: Store, accountId: string, id: string): Promise<boolean> {
  const done = await store.write
    .deleteFrom('api_key')
    .where('account_id', '=', accountId)
    .where('id', '=', id)
    .executeTakeFirst()
  return done.numDeletedRows > 0n
}
