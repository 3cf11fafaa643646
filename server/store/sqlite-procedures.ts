import { Kysely } from 'kysely'
import { insertOne, perRow, type Rows, type RunBatch, type Select } from '#server/store/batch.ts'
import { sqliteFacts } from '#server/store/dialect.ts'
import type { Durability } from '#server/store/durability.ts'
import { createMatchingCache } from '#server/store/matching.ts'
import { holderId } from '#server/store/new-id.ts'
import { createPace } from '#server/store/pace.ts'
import {
  forget,
  type ProcedureContext,
  type ProcedureRequest,
  procedures,
} from '#server/store/procedures.ts'
import type { Tables } from '#server/store/schema.ts'
import {
  createTurnstile,
  type SqliteConnection,
  sqliteDialect,
} from '#server/store/sqlite-dialect.ts'
import type {
  CallRequest,
  StatementRequest,
  StatementResult,
} from '#server/store/sqlite-protocol.ts'
import type { Trx } from '#server/store/store.ts'

/** The connection of this thread, as `sqlite-worker.ts` has it. */
interface OwnConnection {
  readonly begin: (durability: Durability) => void
  readonly run: (request: Omit<StatementRequest, 'id'>) => StatementResult
  readonly selectEach: (sql: string, rows: Rows) => readonly unknown[]
  readonly writeEach: (sql: string, rows: Rows) => readonly (number | null)[]
  readonly rollback: () => void
}

/**
 * Runs whole transactions in the thread of the connection. Between their statements nothing but promises is awaited, so
 * that no other message comes in between.
 */
export function serveProcedures(
  { begin, run, selectEach, writeEach, rollback }: OwnConnection,
  node: string,
) {
  const sqlite: SqliteConnection = {
    run: async (statement) => run(statement),
    rollback: async () => rollback(),
  }
  // Within the transaction that is begun here; "durable" would say how Kysely begins one, and it never does.
  const dialect = sqliteDialect(sqlite, createTurnstile(), 'durable')
  const trx = new Kysely<Tables>({ dialect }) as Trx
  const batch: RunBatch = {
    select: async <R>(_trx: Trx, one: Select, rows: Rows) =>
      selectEach(perRow(one), rows) as readonly R[],
    insert: async (_trx, one, rows) => writeEach(insertOne(one), rows),
    update: async (_trx, one, rows) =>
      writeEach(perRow(one), rows).map((changed) => changed !== null),
  }
  const context: ProcedureContext = {
    node,
    holder: () => holderId(node),
    facts: sqliteFacts,
    batch,
    matching: createMatchingCache(),
    days: new Set(),
    pace: createPace(),
  }

  return async ({ call, durability, request }: CallRequest): Promise<unknown> => {
    // The side of the event loop gives each procedure the request of its own type.
    const own = request as ProcedureRequest<typeof call>
    begin(durability)
    try {
      const result = await procedures[call](trx, context, own as never)
      run({ begin: null, sql: 'commit', parameters: [] })
      return result
    } catch (error) {
      rollback()
      forget(context)
      throw error
    }
  }
}
