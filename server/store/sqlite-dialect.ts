import type { SQLInputValue } from 'node:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Begin, StatementRequest, StatementResult } from '#server/store/sqlite-protocol.ts'

/** A SQLite connection: on a thread of its own, or in this one. */
export interface SqliteConnection {
  readonly run: (statement: Omit<StatementRequest, 'id'>) => Promise<StatementResult>
  readonly rollback: () => Promise<void>
}

/** Lends one thing to one borrower at a time, first come first served. */
export interface Turnstile {
  readonly enter: () => Promise<void>
  readonly leave: () => void
}

export function createTurnstile(): Turnstile {
  const queue: (() => void)[] = []
  let taken = false
  return {
    async enter() {
      if (!taken) {
        taken = true
        return
      }
      await new Promise<void>((resolve) => queue.push(resolve))
    },
    leave() {
      const next = queue.shift()
      if (next === undefined) taken = false
      else next()
    },
  }
}

interface ThreadConnection extends DatabaseConnection {
  /** Set by `beginTransaction`; goes with the first statement, which saves a trip to the thread. */
  toBegin: Begin | null
}

function connectionTo(sqlite: SqliteConnection): ThreadConnection {
  return {
    toBegin: null,
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      const begin = this.toBegin
      this.toBegin = null
      const parameters = query.parameters as readonly SQLInputValue[]
      const { rows, changes, insertedKey } = await sqlite.run({
        begin,
        sql: query.sql,
        parameters,
      })
      return {
        rows: rows as R[],
        numAffectedRows: BigInt(changes),
        insertId: BigInt(insertedKey),
      }
    },
    // biome-ignore lint/correctness/useYield: an honest refusal; lists are read by page
    async *streamQuery() {
      throw new Error('streaming is not supported on SQLite: read by page')
    },
  }
}

/**
 * Kysely on a SQLite connection. Several of these can share one, one for each way to begin; the turnstile keeps their
 * transactions apart, since a SQLite connection knows one transaction at a time.
 */
export function sqliteDialect(
  sqlite: SqliteConnection,
  turnstile: Turnstile,
  begin: Begin,
): Dialect {
  const connection = connectionTo(sqlite)
  const driver: Driver = {
    async init() {},
    async acquireConnection() {
      await turnstile.enter()
      return connection
    },
    async beginTransaction() {
      connection.toBegin = begin
    },
    async commitTransaction() {
      // A transaction without a statement was never begun.
      if (connection.toBegin === null)
        await sqlite.run({ begin: null, sql: 'commit', parameters: [] })
      connection.toBegin = null
    },
    async rollbackTransaction() {
      connection.toBegin = null
      await sqlite.rollback()
    },
    async releaseConnection() {
      turnstile.leave()
    },
    // The threads are closed by the store, which knows the order.
    async destroy() {},
  }
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}
