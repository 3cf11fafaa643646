import { readKeyFile, writeKeyFile } from '#server/data-folder.ts'
import type { Account } from '#server/store/accounts.ts'
import { createApiKey, listApiKeys } from '#server/store/api-keys.ts'
import type { Store } from '#server/store/store.ts'

/** Where a person finds an API key: made now, kept by an earlier start, or nowhere any more. */
export type KeyNotice =
  | { readonly kind: 'new'; readonly key: string; readonly path: string }
  | { readonly kind: 'kept'; readonly path: string }
  | { readonly kind: 'elsewhere' }

/** Makes the first API key of the account when it has none, and keeps it in the data folder. */
export async function ensureFirstKey(
  store: Store,
  account: Account,
  dataFolder: string,
): Promise<KeyNotice> {
  const kept = await readKeyFile(dataFolder)
  if (kept.key !== null) return { kind: 'kept', path: kept.path }
  if ((await listApiKeys(store, account.id)).length > 0) return { kind: 'elsewhere' }
  const { key } = await createApiKey(store, account.id, 'first key', Date.now())
  return { kind: 'new', key, path: await writeKeyFile(dataFolder, key) }
}
