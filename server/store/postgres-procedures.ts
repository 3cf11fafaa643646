/**
 * The transactions of the hot path on PostgreSQL. Statements go out when they are called, without waiting for those
 * before them (a pipeline), and run in that order: on a busy event loop each answer that is waited for costs a turn of
 * it, milliseconds, while other transactions wait for the same lanes.
 */
import {
  type DatabaseConnection,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  Transaction,
} from 'kysely'
import { openPool, type PoolSettings } from '#server/store/postgres-pool.ts'
import {
  forget,
  type ProcedureContext,
  type ProcedureName,
  type ProcedureRequest,
  type ProcedureResult,
  procedures,
} from '#server/store/procedures.ts'
import type { Tables } from '#server/store/schema.ts'
import type { Trx } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

export interface PostgresProcedures {
  /** One procedure in one transaction: all of it or nothing. */
  readonly run: <N extends ProcedureName>(
    context: ProcedureContext,
    name: N,
    request: ProcedureRequest<N>,
  ) => Promise<ProcedureResult<N>>
  readonly close: () => Promise<void>
}

export function openProcedures(settings: Omit<PoolSettings, 'pipeline'>): PostgresProcedures {
  const pool = openPool({ ...settings, pipeline: true })
  const makeTrx = transactionsOn(pool)
  /** Making one takes as long as a statement. */
  const made = new WeakMap<PostgresPoolClient, Trx>()
  return {
    async run(context, name, request) {
      const client = await pool.connect()
      let trx = made.get(client)
      if (trx === undefined) {
        trx = makeTrx(client)
        made.set(client, trx)
      }
      let broken = false
      const begun = client.query('begin', [])
      // It is waited for below; what fails before it says why.
      begun.catch(() => undefined)
      try {
        const result = await procedures[name](trx, context, request)
        await begun
        const { command } = await client.query('commit', [])
        if (command !== 'COMMIT') {
          throw new StoreError('database_failed', 'PostgreSQL undid a transaction.')
        }
        return result
      } catch (error) {
        forget(context)
        await client.query('rollback', []).catch(() => {
          broken = true
        })
        throw error
      } finally {
        // The connection of one that could not be undone is closed, and the transaction with it.
        ;(client as { release: (broken: boolean) => void }).release(broken)
      }
    },
    close: async () => await pool.end(),
  }
}

/** Transactions whose statements are sent as they are called; Kysely's own wait for each other. */
function transactionsOn(pool: PostgresPool): (client: PostgresPoolClient) => Trx {
  const dialect = new PostgresDialect({ pool })
  const driver = dialect.createDriver()
  const executor = new Kysely<Tables>({ dialect }).getExecutor()
  return (client) => {
    const connection: DatabaseConnection = {
      async executeQuery(query) {
        const { rows, rowCount, command } = await client.query(query.sql, query.parameters)
        const changed = command === 'SELECT' ? {} : { numAffectedRows: BigInt(rowCount ?? 0) }
        return { rows: rows as never[], ...changed }
      },
      streamQuery() {
        throw new Error('nothing of the hot path is a stream')
      },
    }
    const own = executor.withConnectionProvider({
      provideConnection: async (consumer) => await consumer(connection),
    })
    return new Transaction<Tables>({ config: { dialect }, driver, dialect, executor: own })
  }
}
