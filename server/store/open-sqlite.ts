/** SQLite: one file, one process, a thread for each of the two connections. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Kysely } from 'kysely'
import type { OpenDatabase } from '#server/store/database.ts'
import { sqliteFacts } from '#server/store/dialect.ts'
import { migrate, needMigrated, noDatabase } from '#server/store/migrate.ts'
import { holderId, newNodeId } from '#server/store/new-id.ts'
import type { Tables } from '#server/store/schema.ts'
import { createTurnstile, sqliteDialect, type Turnstile } from '#server/store/sqlite-dialect.ts'
import { type SqliteThread, startSqliteThread } from '#server/store/sqlite-thread.ts'
import type { Store } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

export interface SqliteOptions {
  readonly path: string
  /** True: takes no lock and makes nothing; see `StoreOptions`. */
  readonly beside: boolean
}

/**
 * Opens the file, brings its tables to this program's form, and takes the lock that keeps other processes out; `beside`
 * finds them so or throws. Throws StoreError.
 */
export async function openSqlite({ path, beside }: SqliteOptions): Promise<OpenDatabase> {
  const node = newNodeId()
  if (beside) await needFile(path)
  else await makeFolder(dirname(path))
  // The write thread first: it takes the lock and makes the file.
  const writer = await startSqliteThread({
    path,
    access: 'write',
    lockPath: beside ? null : `${path}.lock`,
    node,
  })
  try {
    const turnstile = createTurnstile()
    const write = new Kysely<Tables>({ dialect: sqliteDialect(writer, turnstile, 'durable') })
    if (beside) await needMigrated(write, sqliteFacts, dirname(path))
    else await migrate(write, sqliteFacts, Date.now())
    const reader = await startSqliteThread({ path, access: 'read', lockPath: null, node })
    const read = new Kysely<Tables>({
      dialect: sqliteDialect(reader, createTurnstile(), 'snapshot'),
    })
    const threads = [reader, writer]
    return {
      node,
      // What is not answered here was not committed, or the process ends.
      holder: () => holderId(node),
      facts: sqliteFacts,
      read,
      write,
      transact: inTurn(writer, turnstile),
      onDisk: writer.onDisk,
      failed: Promise.race(threads.map((thread) => thread.failed)),
      async close() {
        // After the transaction under way; later ones find the store closed.
        await turnstile.enter()
        for (const thread of threads) await thread.close()
        turnstile.leave()
        for (const db of [read, write]) await db.destroy()
      },
    }
  } catch (error) {
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

/** Opening would make it. */
async function needFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    // Whoever opens it says why it cannot be.
    return undefined
  })
  if (found === null || found?.size === 0) throw noDatabase(dirname(path))
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
