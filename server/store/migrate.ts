import { type Kysely, sql } from 'kysely'
import type { DialectFacts } from '#server/store/dialect.ts'
import { up as firstTables } from '#server/store/migrations/0001-first-tables.ts'
import type { Tables } from '#server/store/schema.ts'
import { StoreError } from '#server/store/store-error.ts'

interface Migration {
  readonly number: number
  readonly name: string
  readonly up: (db: Kysely<unknown>, facts: DialectFacts) => Promise<void>
}

/** In order; a number that has been released is never changed and never given to another. */
const migrations: readonly Migration[] = [{ number: 1, name: 'first-tables', up: firstTables }]

/**
 * Brings the database to the form that this program speaks; returns the numbers of the migrations that it ran.
 *
 * Each migration is one transaction that begins by writing down its number. Of two processes that start at once the
 * second one waits at that row for the first, then finds the number taken and runs nothing.
 * Throws StoreError `database_newer` when a newer program has been at the database.
 */
export async function migrate(
  db: Kysely<Tables>,
  facts: DialectFacts,
  now: number,
  list: readonly Migration[] = migrations,
): Promise<readonly number[]> {
  await db.schema
    .createTable('migration')
    .ifNotExists()
    .addColumn('number', 'integer', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('applied_at', 'bigint', (c) => c.notNull())
    .execute()
  const last = await lastMigration(db, list)
  const ran: number[] = []
  for (const migration of list) {
    if (migration.number <= last) continue
    if (await runOne(db, facts, migration, now)) ran.push(migration.number)
  }
  return ran
}

/**
 * Changes nothing; throws unless the database has the form that this program speaks. `where` names it in the error.
 * Throws StoreError `database_missing`, `database_older`, `database_newer`.
 */
export async function needMigrated(
  db: Kysely<Tables>,
  facts: DialectFacts,
  where: string,
  list: readonly Migration[] = migrations,
): Promise<void> {
  const { rows } = await facts.hasTable('migration').execute(db)
  if (rows[0]?.present !== 1) throw noDatabase(where)
  const last = await lastMigration(db, list)
  // Made, and not a table in it yet.
  if (last === 0) throw noDatabase(where)
  if (last === knownOf(list)) return
  throw new StoreError(
    'database_older',
    'The database was last used by an older Offhook; start this one, which brings it up to date.',
  )
}

export const noDatabase = (where: string): StoreError =>
  new StoreError(
    'database_missing',
    `There is no Offhook database in ${where}: OFFHOOK_DATA (or OFFHOOK_DATABASE) says where it is, and "offhook start" makes one.`,
  )

const knownOf = (list: readonly Migration[]): number => list.at(-1)?.number ?? 0

/** 0: none. Throws StoreError `database_newer`. */
async function lastMigration(db: Kysely<Tables>, list: readonly Migration[]): Promise<number> {
  const { last } = await db
    .selectFrom('migration')
    .select(sql<number | null>`max(number)`.as('last'))
    .executeTakeFirstOrThrow()
  if (last !== null && last > knownOf(list)) {
    throw new StoreError(
      'database_newer',
      `The database was last used by a newer Offhook (migration ${last}, this one knows ${knownOf(list)}); start that one.`,
    )
  }
  return last ?? 0
}

async function runOne(
  db: Kysely<Tables>,
  facts: DialectFacts,
  { number, name, up }: Migration,
  now: number,
): Promise<boolean> {
  return await db.transaction().execute(async (trx) => {
    const mine = await trx
      .insertInto('migration')
      .values({ number, name, applied_at: now })
      .onConflict((c) => c.column('number').doNothing())
      .returning('number')
      .executeTakeFirst()
    if (mine === undefined) return false
    await up(trx as unknown as Kysely<unknown>, facts)
    return true
  })
}
