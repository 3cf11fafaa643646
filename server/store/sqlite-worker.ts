/**
 * The thread that owns one SQLite connection. node:sqlite is synchronous: a commit of what a person changed waits for the
 * disk (2 to 4 ms with fsync), and on the event loop everything else would wait with it. The hot path waits for no disk,
 * see `sqlite-flush.ts`.
 *
 * Statements and whole transactions are run in the order in which they come. Whoever sends them keeps those apart that
 * do not belong together.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Durability } from '#server/store/durability.ts'
import { type Checkpoints, startCheckpoints } from '#server/store/sqlite-checkpoints.ts'
import { createFlusher, type Flusher } from '#server/store/sqlite-flush.ts'
import type { serveProcedures } from '#server/store/sqlite-procedures.ts'
import type {
  Begin,
  ConnectionSettings,
  StatementRequest,
  StatementResult,
  WorkerFailure,
  WorkerGreeting,
  WorkerReply,
  WorkerRequest,
} from '#server/store/sqlite-protocol.ts'
import { StoreError } from '#server/store/store-error.ts'

interface Prepared {
  readonly statement: StatementSync
  readonly returnsRows: boolean
}

/** What the thread has beside its connection. */
interface Beside {
  readonly lock: DatabaseSync | null
  readonly flusher: Flusher
  readonly checkpoints: Checkpoints | null
}

/** More than the texts that the program has; those made for one call (long lists) push each other out. */
const preparedLimit = 256
/** Nobody else writes but an administrator with the sqlite3 shell. */
const busyMs = 5_000
const sqliteBusy = 5

function failureOf(error: unknown): WorkerFailure {
  const message = error instanceof Error ? error.message : String(error)
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : null
  return { message, errcode, code: error instanceof StoreError ? error.code : null }
}

/**
 * Takes the exclusive lock of a side file and keeps it until the process ends, however it ends: the kernel holds it,
 * no file has to be removed. The database file itself stays readable for backups and the sqlite3 shell.
 */
function takeLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(path, { timeout: 0 })
  lock.exec('begin exclusive')
  return lock
}

function openDatabase({ path, access }: ConnectionSettings): DatabaseSync {
  const db = new DatabaseSync(path, {
    readOnly: access === 'read',
    timeout: busyMs,
    enableForeignKeyConstraints: true,
  })
  if (access === 'write') {
    // Before the first table: room that retention freed can be given back a piece at a time, without a copy of the file.
    db.exec('pragma auto_vacuum = incremental')
    db.exec('pragma journal_mode = wal')
    db.exec('pragma synchronous = full')
    // 32 MiB of log: where it comes to that, `sqlite-checkpoints.ts` has not caught a gap between two commits.
    db.exec('pragma wal_autocheckpoint = 8192')
  }
  // Pages at most, in KiB, taken as needed: what is written comes back soon, what is read is of one page of a list.
  db.exec(`pragma cache_size = -${access === 'write' ? 32_768 : 4_096}`)
  db.exec('pragma temp_store = memory')
  return db
}

function serveStatements(db: DatabaseSync, { lock, flusher, checkpoints }: Beside) {
  const prepared = new Map<string, Prepared>()
  let waitsForDisk = true

  function prepare(sql: string): Prepared {
    const known = prepared.get(sql)
    if (known !== undefined) {
      prepared.delete(sql)
      prepared.set(sql, known)
      return known
    }
    const statement = db.prepare(sql)
    const entry = { statement, returnsRows: statement.columns().length > 0 }
    prepared.set(sql, entry)
    if (prepared.size > preparedLimit) {
      const [oldest] = prepared.keys()
      if (oldest !== undefined) prepared.delete(oldest)
    }
    return entry
  }

  function setDurability(wanted: Durability): void {
    const waits = wanted === 'durable'
    if (waits === waitsForDisk) return
    db.exec(`pragma synchronous = ${waits ? 'full' : 'normal'}`)
    waitsForDisk = waits
  }

  function begin(how: Begin | null): void {
    if (how === 'snapshot') {
      db.exec('begin')
      return
    }
    if (!db.isTransaction) setDurability(how ?? 'durable')
    // Immediate: the write lock comes now, or a later statement could fail with "busy" half-way.
    if (how !== null) db.exec('begin immediate')
  }

  function run(request: Omit<StatementRequest, 'id'>): StatementResult {
    begin(request.begin)
    const { statement, returnsRows } = prepare(request.sql)
    if (returnsRows) {
      return { rows: statement.all(...request.parameters), changes: 0, insertedKey: 0 }
    }
    const done = statement.run(...request.parameters)
    return { rows: [], changes: Number(done.changes), insertedKey: Number(done.lastInsertRowid) }
  }

  /** What the same statement finds for each of the rows, within a transaction that has begun. */
  function selectEach(sql: string, rows: readonly (readonly SQLInputValue[])[]): unknown[] {
    const { statement } = prepare(sql)
    return rows.flatMap((row) => statement.all(...row))
  }

  /**
   * The same statement for each of the rows, within a transaction that has begun. For each the number of the row that
   * was last inserted; null: it changed nothing.
   */
  function writeEach(
    sql: string,
    rows: readonly (readonly SQLInputValue[])[],
  ): readonly (number | null)[] {
    const { statement } = prepare(sql)
    return rows.map((row) => {
      const { changes, lastInsertRowid } = statement.run(...row)
      return changes === 0 ? null : Number(lastInsertRowid)
    })
  }

  function close(): void {
    prepared.clear()
    flusher.close()
    checkpoints?.close()
    db.close()
    lock?.close()
  }

  function rollback(): void {
    if (db.isTransaction) db.exec('rollback')
  }

  return { begin, run, selectEach, writeEach, rollback, close }
}

type Statements = ReturnType<typeof serveStatements>

function serveAll(statements: Statements, flusher: Flusher, node: string) {
  // Loaded with the first call: half of the program hangs on it, and a reading thread never gets one.
  let calls: ReturnType<typeof serveProcedures> | null = null
  return async (request: WorkerRequest): Promise<unknown> => {
    if ('sql' in request) return statements.run(request)
    if ('call' in request) {
      calls ??= (await import('#server/store/sqlite-procedures.ts')).serveProcedures(
        statements,
        node,
      )
      const result = await calls(request)
      if (request.durability === 'soon') flusher.wrote(request.id)
      return result
    }
    return 'close' in request ? statements.close() : statements.rollback()
  }
}

function start(settings: ConnectionSettings, say: (message: WorkerGreeting | WorkerReply) => void) {
  let lock: DatabaseSync | null = null
  try {
    lock = settings.lockPath === null ? null : takeLock(settings.lockPath)
  } catch (error) {
    const failure = failureOf(error)
    say({ ready: false, locked: failure.errcode === sqliteBusy, failure })
    return null
  }
  try {
    const flusher = createFlusher(`${settings.path}-wal`, {
      told: (onDisk) => say({ onDisk }),
      failed: endThread,
    })
    const db = openDatabase(settings)
    const checkpoints = settings.access === 'read' ? startCheckpoints(settings.path) : null
    const statements = serveStatements(db, { lock, flusher, checkpoints })
    const serve = serveAll(statements, flusher, settings.node)
    say({ ready: true })
    return serve
  } catch (error) {
    lock?.close()
    say({ ready: false, locked: false, failure: failureOf(error) })
    return null
  }
}

/** The side of the event loop is told by the thread's end, and the process ends. */
function endThread(error: Error): never {
  throw error
}

const port = parentPort
if (port === null) throw new Error('sqlite-worker.ts is run as a worker thread')
const serve = start(workerData as ConnectionSettings, (message) => port.postMessage(message))
port.on('message', async (request: WorkerRequest) => {
  if (serve === null) return
  let reply: WorkerReply
  try {
    reply = { id: request.id, result: await serve(request) }
  } catch (error) {
    reply = { id: request.id, failure: failureOf(error) }
  }
  port.postMessage(reply)
  if ('close' in request) port.close()
})
