import { Kysely } from 'kysely'
import { sqliteFacts } from '#server/store/dialect.ts'
import type { Durability } from '#server/store/durability.ts'
import { createMatchingCache } from '#server/store/matching.ts'
import {
  type ProcedureContext,
  type ProcedureRequest,
  runProcedure,
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

/** The connection of this thread, as `sqlite-worker.ts` has it. */
interface OwnConnection {
  readonly run: (request: Omit<StatementRequest, 'id'>) => StatementResult
  readonly rollback: () => void
}

/**
 * Runs whole transactions in the thread of the connection. Between their statements nothing but promises is awaited, so
 * that no other message comes in between.
 */
export function serveProcedures({ run, rollback }: OwnConnection) {
  const sqlite: SqliteConnection = {
    run: async (statement) => run(statement),
    rollback: async () => rollback(),
  }
  const turnstile = createTurnstile()
  const open = (durability: Durability) =>
    new Kysely<Tables>({ dialect: sqliteDialect(sqlite, turnstile, durability) })
  const databases = { durable: open('durable'), relaxed: open('relaxed') }
  const context: ProcedureContext = {
    facts: sqliteFacts,
    matching: createMatchingCache(),
    days: new Set(),
  }

  return async ({ call, durability, request }: CallRequest): Promise<unknown> => {
    // The side of the event loop gives each procedure the request of its own type.
    const own = request as ProcedureRequest<typeof call>
    return await runProcedure(databases[durability], context, call, own)
  }
}
