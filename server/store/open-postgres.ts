/**
 * PostgreSQL: many processes on one database, each with a few connections.
 *
 * What happens when: PostgreSQL restarts, or the network is cut: statements under way throw StoreError
 * `database_unreachable`, connections are made anew as they are needed, and whoever must not lose anything (capture,
 * deliver) tries again. Whether a commit under way was made nobody knows then; all of the hot path may be done twice.
 * PostgreSQL hangs: the same after 45 s. One of our processes hangs within a transaction: PostgreSQL ends it after 15 s,
 * so that its locks hold nobody up for longer.
 */
import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import { runTogether } from '#server/store/batch.ts'
import type { OpenDatabase } from '#server/store/database.ts'
import { postgresFacts } from '#server/store/dialect.ts'
import type { Durability } from '#server/store/durability.ts'
import { createMatchingCache } from '#server/store/matching.ts'
import { migrate, needMigrated } from '#server/store/migrate.ts'
import { holderId, newNodeId } from '#server/store/new-id.ts'
import { createPace } from '#server/store/pace.ts'
import { kyselyOn } from '#server/store/postgres-pool.ts'
import { openProcedures } from '#server/store/postgres-procedures.ts'
import type {
  ProcedureContext,
  ProcedureName,
  ProcedureRequest,
  ProcedureResult,
} from '#server/store/procedures.ts'
import type { Tables } from '#server/store/schema.ts'
import { StoreError } from '#server/store/store-error.ts'

const limits = {
  statement_timeout: 30_000,
  lock_timeout: 10_000,
  idle_in_transaction_session_timeout: 15_000,
  // Seconds and milliseconds: a machine that is gone without a word keeps its locks no longer than this.
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 30_000,
}

/**
 * The statements of the queue find a few rows by index, in tables that were empty when PostgreSQL last looked, or a
 * million rows long: its own guesses from that are wrong in both directions, and a plan once made is kept.
 */
const knownPlans = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
}

/** Any number; the same in every Offhook, and nobody else's in the same database. */
const migrationLock = 7_310_420

export interface PostgresOptions {
  readonly url: string
  /** True: makes nothing; see `StoreOptions`. */
  readonly beside: boolean
}

/**
 * Opens a database that is there and brings its tables to this program's form; `beside` finds them so or throws.
 * Throws StoreError.
 */
export async function openPostgres({ url, beside }: PostgresOptions): Promise<OpenDatabase> {
  const at = { url, where: withoutPassword(url) }
  await prepare(at, beside)
  const read = kyselyOn({
    ...at,
    connections: 5,
    session: { ...limits, statement_timeout: 60_000, default_transaction_isolation: snapshot },
  })
  const write = kyselyOn({ ...at, connections: 8, session: limits })
  const hot = {
    durable: openProcedures({ ...at, connections: 4, session: { ...limits, ...knownPlans } }),
    relaxed: openProcedures({
      ...at,
      connections: 2,
      session: { ...limits, ...knownPlans, synchronous_commit: 'off' },
    }),
  }
  const node = newNodeId()
  let losses = 0
  const holder = () => holderId(node, losses)
  const context: ProcedureContext = {
    node,
    holder,
    facts: postgresFacts,
    batch: runTogether,
    matching: createMatchingCache(),
    days: new Set(),
    pace: createPace(),
  }
  return {
    node,
    holder,
    facts: postgresFacts,
    read,
    write,
    transact: async <N extends ProcedureName>(
      name: N,
      durability: Durability,
      request: ProcedureRequest<N>,
    ): Promise<ProcedureResult<N>> =>
      await againIfCrossed(async () => {
        const pool = durability === 'relaxed' ? hot.relaxed : hot.durable
        return await pool.run(context, name, request)
      }).catch((error: unknown) => {
        // It may have been committed, and what it leased is in no memory.
        if (error instanceof StoreError && error.code === 'database_unreachable') losses += 1
        throw error
      }),
    // Its commits return after the disk has them.
    onDisk: async () => undefined,
    // Whatever happens to PostgreSQL, it may come back.
    failed: new Promise<never>(() => undefined),
    async close() {
      for (const db of [read, write]) await db.destroy()
      for (const pool of [hot.durable, hot.relaxed]) await pool.close()
    },
  }
}

/** A transaction of the read pool sees one state, as on SQLite. Escaped for the start-up packet. */
const snapshot = 'repeatable\\ read'

/** How the database is named in errors. */
function withoutPassword(text: string): string {
  try {
    const url = new URL(text)
    return `${url.protocol}//${url.host}${url.pathname}`
  } catch (cause) {
    throw new StoreError(
      'database_failed',
      'OFFHOOK_DATABASE is not an address that can be read.',
      {
        cause,
      },
    )
  }
}

/**
 * Of many processes that start at once one migrates, and the others wait for it. The lock is of the session: it ends
 * with the process, however that ends.
 */
async function prepare(
  at: { readonly url: string; readonly where: string },
  beside: boolean,
): Promise<void> {
  const own = kyselyOn({ ...at, connections: 1, session: {} })
  try {
    if (beside) {
      await needMigrated(own, postgresFacts, at.where)
      return
    }
    await own.connection().execute(async (db: Kysely<Tables>) => {
      await sql`select pg_advisory_lock(${sql.lit(migrationLock)})`.execute(db)
      await migrate(db, postgresFacts, Date.now())
    })
  } finally {
    await own.destroy()
  }
}

const crossed = new Set(['40001', '40P01'])

/**
 * Two transactions that took the same rows in different order: PostgreSQL lets one go on and undoes the other, which
 * then has the way free. Rows are locked in one order where that can be had, so this is rare.
 */
async function againIfCrossed<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left -= 1) {
    try {
      return await work()
    } catch (error) {
      const cause = error instanceof StoreError ? error.cause : null
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
      if (left === 0 || !crossed.has(code)) throw error
    }
  }
}
