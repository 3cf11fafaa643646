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

async function command(database: string, text: string): Promise<void> {
  const client = new Client({ connectionString: inject('postgresUrl') + database })
  await client.connect()
  await client.query(text)
  await client.end()
}

const newName = () => `t_${randomUUID().replaceAll('-', '')}`

/** One database per test file. Making one takes a tenth of a second, and dropping one a checkpoint. */
let databaseOfFile: Promise<string> | null = null

async function makeDatabase(): Promise<string> {
  const name = newName()
  await command('postgres', `create database ${name}`)
  return name
}

/**
 * An empty place on the server of this run, and a folder for its key. It is a schema, in which a user of that name finds
 * itself; it goes with the server.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  databaseOfFile ??= makeDatabase()
  const database = await databaseOfFile
  const name = newName()
  await command(database, `create role ${name} login; create schema authorization ${name}`)
  const url = new URL(inject('postgresUrl') + database)
  url.username = name
  url.password = ''
  const folder = await mkdtemp(join(tmpdir(), 'offhook-store-'))
  return {
    url: url.href,
    keyPath: join(folder, 'secret.key'),
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }),
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
        where n.nspname = current_schema() and c.relkind = 'r'`.execute(store.read)
      return rows[0]?.bytes ?? 0
    },
    [Symbol.asyncDispose]: async () => {
      await store.close()
      await database[Symbol.asyncDispose]()
    },
  }
}
