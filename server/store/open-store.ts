import { access } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Kysely } from 'kysely'
import type { Accepted } from '#server/store/accept.ts'
import { type Commit, commitTogether } from '#server/store/commit.ts'
import type { OpenDatabase } from '#server/store/database.ts'
import { createGroupCommit } from '#server/store/group-commit.ts'
import { noDatabase } from '#server/store/migrate.ts'
import { openPostgres } from '#server/store/open-postgres.ts'
import { openSqlite } from '#server/store/open-sqlite.ts'
import type { Tables } from '#server/store/schema.ts'
import { readOrMakeKey, type SecretBox, secretBox } from '#server/store/secrets.ts'
import type { Store } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'
import { watchWrites } from '#server/store/writability.ts'

export interface StoreOptions {
  /**
   * `sqlite:` and the path of the file, which is made when absent, with its folder; or `postgres://…`, a database that
   * is there.
   */
  readonly url: string
  /**
   * File of the key that secrets are sealed with, made for a new database; the same on every machine that uses the
   * database. Default: `secret.key` beside the SQLite file.
   */
  readonly keyPath?: string | undefined
  /**
   * True: takes no lock, so that a command can change a row while the server runs, and makes neither database nor key: a
   * command that was led to the wrong place must say so. SQLite keeps the two apart; what it must not do is deliver.
   */
  readonly beside?: boolean
}

/** As many events or attempts as one transaction takes in a few milliseconds. */
const groupWeight = 512
/** Attempts end one by one; two milliseconds bring some of them together. */
const finishLingerMs = 2

/**
 * Opens the database, brings its tables to this program's form, and on SQLite takes the lock that keeps other processes
 * out. Throws StoreError: `database_in_use`, `database_not_writable`, `database_newer`, `database_corrupt`,
 * `database_unreachable`, `storage_full`, `secret_key_wrong`; with `beside` also `database_missing` and `database_older`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { open, keyPath } = placeOf(options)
  const database = await open()
  // Nobody may be waiting for it.
  database.failed.catch(() => undefined)
  try {
    return assemble(database, await openSecrets(database.write, keyPath, options.beside ?? false))
  } catch (error) {
    await database.close()
    throw error
  }
}

function placeOf({ url, keyPath, beside = false }: StoreOptions): {
  readonly open: () => Promise<OpenDatabase>
  readonly keyPath: string
} {
  if (/^postgres(ql)?:\/\/./.test(url)) {
    if (keyPath === undefined) throw new Error('a store on PostgreSQL needs the path of its key')
    return { open: async () => await openPostgres({ url, beside }), keyPath }
  }
  const path = /^sqlite:(.+)/s.exec(url)?.[1]
  if (path === undefined) {
    const says = `The database "${url}" must be sqlite: and a path, or postgres:// and where it is.`
    throw new StoreError('database_failed', says)
  }
  return {
    open: async () => await openSqlite({ path, beside }),
    keyPath: keyPath ?? join(dirname(path), 'secret.key'),
  }
}

async function readKey(path: string): Promise<Buffer> {
  try {
    return await readOrMakeKey(path)
  } catch (cause) {
    if (cause instanceof StoreError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    const says = `The key file ${path} cannot be read or made (${why}).`
    throw new StoreError('database_not_writable', says, { cause })
  }
}

/**
 * The box of the database's secrets. A key that is not the one of this database would seal new secrets beside old ones
 * that nobody can open; and where the database has one already, none is made that could only be wrong.
 */
async function openSecrets(
  db: Kysely<Tables>,
  keyPath: string,
  beside: boolean,
): Promise<SecretBox> {
  const name = 'key_check'
  const read = async () =>
    await db.selectFrom('setting').select('value').where('name', '=', name).executeTakeFirst()
  const known = await read()
  const wrong = (cause?: unknown) =>
    new StoreError(
      'secret_key_wrong',
      `The key file ${keyPath} is not that of this database; restore secret.key from the backup of the database, or copy it from another machine that uses it.`,
      { cause },
    )
  if (known === undefined && beside) throw noDatabase(dirname(keyPath))
  if (known !== undefined && !(await isThere(keyPath))) throw wrong()
  const secrets = secretBox(await readKey(keyPath))
  await db
    .insertInto('setting')
    .values({ name, value: secrets.seal('offhook', name) })
    .onConflict((c) => c.column('name').doNothing())
    .execute()
  const { value } = (await read()) ?? { value: '' }
  try {
    secrets.open(value, name)
  } catch (cause) {
    throw wrong(cause)
  }
  return secrets
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

/** Each single try would wait for the connection again. */
const isAway = (error: unknown): boolean =>
  error instanceof StoreError && error.code === 'database_unreachable'

function assemble(database: OpenDatabase, secrets: SecretBox): Store {
  const listeners = new Set<(from: number) => void>()
  let closing: Promise<void> | null = null
  const writes = watchWrites(database.write, database.transact)
  // One queue for both: what is accepted and what has ended while a commit is under way share the next one.
  const commits = createGroupCommit<Commit, Accepted | boolean>({
    commit: async (items) => await commitTogether(store, items),
    weigh: (item) => ('accept' in item ? item.accept.events.length + 1 : 1),
    maxWeight: groupWeight,
    keyOf: (item) => ('accept' in item ? item.accept.serviceUuid : null),
    concernsAll: isAway,
    lingerMs: (item) => ('accept' in item ? 0 : finishLingerMs),
  })
  const store: Store = {
    ...database,
    secrets,
    transact: writes.transact,
    checkWrites: writes.check,
    // The answer to each is of its kind.
    accepting: { add: async (accept) => (await commits.add({ accept })) as Accepted },
    finishing: { add: async (finish) => (await commits.add({ finish })) as boolean },
    courier: null,
    onDue(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    ringDue(from = 0) {
      for (const listener of listeners) listener(from)
    },
    close: async () => {
      closing ??= database.close()
      await closing
    },
  }
  return store
}
