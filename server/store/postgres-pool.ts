/** Connections to PostgreSQL, as the program wants them: numbers are numbers, errors are StoreErrors, texts are text. */
import { createHash } from 'node:crypto'
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely'
import { Pool, type PoolClient, type PoolConfig, types } from 'pg'
import { wellFormedText } from '#server/store/dialect.ts'
import { postgresError } from '#server/store/postgres-error.ts'
import type { Tables } from '#server/store/schema.ts'

export interface PoolSettings {
  /** The whole URL, with the password. */
  readonly url: string
  /** How the database is named in errors: without the password. */
  readonly where: string
  readonly connections: number
  /** Settings of each session by name, https://www.postgresql.org/docs/current/runtime-config-client.html */
  readonly session: Readonly<Record<string, string | number>>
  /** True: statements are sent without waiting for the answers to those before them. */
  readonly pipeline?: boolean
}

const connectMs = 5_000
/** Longer than the server's own limits: this one is for a server that is not there any more and never said so. */
const answerMs = 45_000
/** Repeated texts that each connection keeps planned; those made for one call are planned each time. */
const preparedLimit = 400
const longestPrepared = 60_000

const int8 = 20
const numeric = 1_700

/** Counts, numbers of rows and milliseconds all fit into a number; the driver would give them as text. */
const numbersAsNumbers: NonNullable<PoolConfig['types']> = {
  getTypeParser: (oid, format) =>
    oid === int8 || oid === numeric ? Number : types.getTypeParser(oid, format),
}

/**
 * Names the texts that come again, so that the server plans them once per connection. A name is bound to its text for
 * good: the same text has the same name on every connection.
 */
function createNames(): (sql: string) => string | undefined {
  const seen = new Map<string, string | null>()
  let named = 0
  return (sql) => {
    const known = seen.get(sql)
    if (known !== undefined && known !== null) return known
    if (named >= preparedLimit || sql.length > longestPrepared) return undefined
    if (known === undefined) {
      // The first time may be the only time, such as a list of numbers that is as long as it happens to be.
      if (seen.size > 4 * preparedLimit) seen.clear()
      seen.set(sql, null)
      return undefined
    }
    const name = `q_${createHash('sha1').update(sql).digest('base64url')}`
    seen.set(sql, name)
    named += 1
    return name
  }
}

const transactionWords = new Set(['begin', 'commit', 'rollback'])

function clientOf(client: PoolClient, where: string, nameOf: ReturnType<typeof createNames>) {
  let lost = false
  return {
    async query(text: string, parameters: readonly unknown[]) {
      const values = parameters.map((value) =>
        typeof value === 'string' ? wellFormedText(value) : value,
      )
      const name = transactionWords.has(text) ? undefined : nameOf(text)
      try {
        return await client.query({ text, values, ...(name !== undefined && { name }) })
      } catch (error) {
        const ours = postgresError(error, where)
        // An answer may still be on its way to whoever borrows this connection next.
        lost ||= ours.code === 'database_unreachable'
        throw ours
      }
    },
    release: (broken?: boolean) => client.release(broken === true || lost),
  }
}

/** A pool in the form that Kysely takes; connections are made as they are needed. */
export function openPool({
  url,
  where,
  connections,
  session,
  pipeline = false,
}: PoolSettings): PostgresPool {
  const options = Object.entries({ application_name: 'offhook', ...session })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
  const pool = new Pool({
    connectionString: url,
    pipeline,
    max: connections,
    types: numbersAsNumbers,
    options,
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: 60_000,
    query_timeout: answerMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  // Whoever uses the connection next is told; without a listener the loss of an idle one would end the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const nameOf = createNames()
  const known = new WeakMap<PoolClient, PostgresPoolClient>()
  const clientIn = (client: PoolClient): PostgresPoolClient => {
    let ours = known.get(client)
    if (ours === undefined) {
      ours = clientOf(client, where, nameOf) as unknown as PostgresPoolClient
      known.set(client, ours)
    }
    return ours
  }
  return {
    options: pool.options,
    end: async () => await pool.end(),
    connect: async () => {
      try {
        return clientIn(await pool.connect())
      } catch (error) {
        throw postgresError(error, where)
      }
    },
  }
}

export function kyselyOn(settings: PoolSettings): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: openPool(settings) }) })
}
