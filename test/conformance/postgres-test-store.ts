import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { Client } from 'pg'
import { inject } from 'vitest'
import { openStore } from '#server/store/open-store.ts'
import type { TestStore } from '#test/conformance/test-store.ts'

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  /** For `openStore`: the key of its secrets. */
  readonly keyPath: string
}

async function command(text: string): Promise<void> {
  const client = new Client({ connectionString: `${inject('postgresUrl')}postgres` })
  await client.connect()
  await client.query(text)
  await client.end()
}

/** An empty database on the server of this run, and a folder for its key. */
export async function createTestDatabase(template = 'template1'): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-store-'))
  const name = `t_${randomUUID().replaceAll('-', '')}`
  await command(`create database ${name} template ${template}`)
  return {
    url: inject('postgresUrl') + name,
    keyPath: join(folder, 'secret.key'),
    [Symbol.asyncDispose]: async () => {
      await command(`drop database ${name} with (force)`)
      await rm(folder, { recursive: true })
    },
  }
}

/** A store on an empty database of the real PostgreSQL of this run. */
export async function openPostgresTestStore(): Promise<
  TestStore & { readonly database: TestDatabase }
> {
  const database = await createTestDatabase()
  const store = await openStore(database)
  return {
    store,
    database,
    bytes: async () => {
      const { rows } = await sql<{ bytes: number }>`
        select sum(pg_total_relation_size(c.oid)) as bytes
        from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind = 'r'`.execute(store.read)
      return rows[0]?.bytes ?? 0
    },
    [Symbol.asyncDispose]: async () => {
      await store.close()
      await database[Symbol.asyncDispose]()
    },
  }
}
