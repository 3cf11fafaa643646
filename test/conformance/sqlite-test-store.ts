import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { openStore } from '#server/store/open-store.ts'
import type { TestStore } from '#test/conformance/test-store.ts'

/** A real SQLite store in a temporary folder. */
export async function openSqliteTestStore(): Promise<TestStore & { readonly url: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-store-'))
  const url = `sqlite:${join(folder, 'offhook.db')}`
  const store = await openStore({ url })
  return {
    store,
    url,
    bytes: async () => {
      await sql`pragma wal_checkpoint(truncate)`.execute(store.write)
      return (await stat(join(folder, 'offhook.db'))).size
    },
    [Symbol.asyncDispose]: async () => {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}
