import { firstAccountName } from '#server/app.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { type Account, ensureAccount } from '#server/store/accounts.ts'
import { openStore } from '#server/store/open-store.ts'
import type { Store } from '#server/store/store.ts'

/**
 * Works on the database itself, also beside a running server, which sees what changed within a second. Where there is
 * none it makes none.
 */
export async function withStore(
  io: CommandIo,
  work: (store: Store, account: Account) => Promise<void>,
): Promise<void> {
  const config = io.config()
  const { database: url, secretKeyFile: keyPath } = config
  const store = await openStore({ url, keyPath, beside: true })
  try {
    await work(store, await ensureAccount(store, firstAccountName, Date.now()))
  } finally {
    await store.close()
  }
}
