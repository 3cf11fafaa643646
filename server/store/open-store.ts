import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Kysely } from 'kysely'
import { type Acceptance, type Accepted, acceptTogether } from '#server/store/accept.ts'
import { sqliteFacts } from '#server/store/dialect.ts'
import { type Finish, finishTogether } from '#server/store/finish.ts'
import { createGroupCommit } from '#server/store/group-commit.ts'
import { migrate } from '#server/store/migrate.ts'
import type { Tables } from '#server/store/schema.ts'
import { readOrMakeKey, type SecretBox, secretBox } from '#server/store/secrets.ts'
import { createTurnstile, sqliteDialect, type Turnstile } from '#server/store/sqlite-dialect.ts'
import { type SqliteThread, startSqliteThread } from '#server/store/sqlite-thread.ts'
import type { Store } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

export interface StoreOptions {
  /** `sqlite:` and the path of the file. The file, its folder and its key are made when absent. */
  readonly url: string
  /** File of the key that secrets are sealed with; default `secret.key` beside the database. */
  readonly keyPath?: string | undefined
  /**
   * True: takes no lock, so that a command can change a row while the server runs. SQLite keeps the two apart; what
   * it must not do is deliver.
   */
  readonly beside?: boolean
}

/** As many events or attempts as one transaction takes in a few milliseconds. */
const groupWeight = 512
/** Attempts end one by one; two milliseconds bring some of them together. */
const finishLingerMs = 2

/**
 * Opens the database, brings its tables to this program's form, and takes the lock that keeps other processes out.
 * Throws StoreError: `database_in_use`, `database_not_writable`, `database_newer`, `database_corrupt`,
 * `storage_full`, `secret_key_wrong`.
 */
export async function openStore({ url, keyPath, beside }: StoreOptions): Promise<Store> {
  const path = sqlitePath(url)
  await makeFolder(dirname(path))
  // The write thread first: it takes the lock and makes the file.
  const writer = await startSqliteThread({
    path,
    access: 'write',
    lockPath: beside ? null : `${path}.lock`,
  })
  let reader: SqliteThread | null = null
  try {
    const turnstile = createTurnstile()
    const write = new Kysely<Tables>({ dialect: sqliteDialect(writer, turnstile, 'durable') })
    await migrate(write, sqliteFacts, Date.now())
    reader = await startSqliteThread({ path, access: 'read', lockPath: null })
    const secrets = secretBox(await readKey(keyPath ?? join(dirname(path), 'secret.key')))
    await checkKey(write, secrets)
    return assemble({
      write,
      transact: inTurn(writer, turnstile),
      read: new Kysely<Tables>({ dialect: sqliteDialect(reader, createTurnstile(), 'snapshot') }),
      secrets,
      threads: [reader, writer],
      turnstile,
    })
  } catch (error) {
    await reader?.close()
    await writer.close()
    throw error
  }
}

/** Calls take turns with the transactions that are made statement by statement. */
function inTurn(writer: SqliteThread, turnstile: Turnstile): Store['transact'] {
  return async (name, durability, request) => {
    await turnstile.enter()
    try {
      return await writer.call(name, durability, request)
    } finally {
      turnstile.leave()
    }
  }
}

function sqlitePath(url: string): string {
  const scheme = 'sqlite:'
  if (!url.startsWith(scheme) || url === scheme) {
    throw new StoreError('database_failed', `The database "${url}" must be sqlite: and a path.`)
  }
  return url.slice(scheme.length)
}

async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new StoreError('database_not_writable', `The folder ${path} cannot be made (${why}).`, {
      cause,
    })
  }
}

/** Node's own recursive mkdir never returns where a file system answers "no such folder" for good, as /proc does. */
async function makeFolders(path: string): Promise<void> {
  if (await makeOne(path)) return
  if (dirname(path) !== path) await makeFolders(dirname(path))
  if (!(await makeOne(path))) throw new Error(`${dirname(path)} takes no folders`)
}

/** False: the folder that it belongs into is not there. */
async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 })
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'EEXIST') return true
    if (code === 'ENOENT') return false
    throw error
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

/** A key that is not the one of this database would seal new secrets beside old ones that nobody can open. */
async function checkKey(db: Kysely<Tables>, secrets: SecretBox): Promise<void> {
  const name = 'key_check'
  await db
    .insertInto('setting')
    .values({ name, value: secrets.seal('offhook', name) })
    .onConflict((c) => c.column('name').doNothing())
    .execute()
  const { value } = await db
    .selectFrom('setting')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  try {
    secrets.open(value, name)
  } catch (cause) {
    const says =
      'The key file does not belong to this database; restore secret.key from the backup of the database.'
    throw new StoreError('secret_key_wrong', says, { cause })
  }
}

interface Parts extends Pick<Store, 'read' | 'write' | 'transact' | 'secrets'> {
  /** Closed in this order. */
  readonly threads: readonly SqliteThread[]
  readonly turnstile: Turnstile
}

function assemble({ threads, turnstile, ...parts }: Parts): Store {
  const listeners = new Set<() => void>()
  let closing: Promise<void> | null = null

  async function close(): Promise<void> {
    // After the transaction under way; later ones find the store closed.
    await turnstile.enter()
    for (const thread of threads) await thread.close()
    turnstile.leave()
    for (const db of [parts.read, parts.write]) await db.destroy()
  }

  const failed = Promise.race(threads.map((thread) => thread.failed))
  // Nobody may be waiting for it.
  failed.catch(() => undefined)
  const store: Store = {
    ...parts,
    failed,
    facts: sqliteFacts,
    accepting: createGroupCommit<Acceptance, Accepted>({
      commit: async (items) => await acceptTogether(store, items),
      weigh: (item) => item.events.length + 1,
      maxWeight: groupWeight,
      keyOf: (item) => item.serviceUuid,
      lingerMs: 0,
    }),
    finishing: createGroupCommit<Finish, boolean>({
      commit: async (items) => await finishTogether(store, items),
      weigh: () => 1,
      maxWeight: groupWeight,
      lingerMs: finishLingerMs,
    }),
    onDue(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    ringDue() {
      for (const listener of listeners) listener()
    },
    close: async () => {
      closing ??= close()
      await closing
    },
  }
  return store
}
