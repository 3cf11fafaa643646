import { type RawBuilder, sql } from 'kysely'

/**
 * What differs between databases, as data: one row each. Store functions use these fragments and never ask which
 * database they are on.
 */
export interface DialectFacts {
  readonly name: string
  /** Column type of a primary key that the database counts up by itself and never gives twice. */
  readonly serialKey: RawBuilder<unknown>
  /** Column type of a primary key that holds such a number of another table. */
  readonly numberKey: 'integer' | 'bigint'
  /** Ends a select whose rows (of the table with that alias) are about to be changed, passing over rows that others are changing. */
  readonly lockRows: (alias: string) => RawBuilder<unknown>
  /**
   * Table expression with one row per element of a JSON array, in the column `value` of the alias. A batch of any
   * size is then one parameter and one constant text, which stays prepared.
   */
  readonly rowsOf: (json: string, alias: string) => RawBuilder<unknown>
  /** True: no other process can be on this database, so that every lease found at start is of a dead process. */
  readonly singleProcess: boolean
}

export const sqliteFacts: DialectFacts = {
  name: 'SQLite',
  // Without autoincrement the number of a deleted last row would be given again.
  serialKey: sql`integer primary key autoincrement`,
  // "bigint primary key" would be an index beside the table instead of the table's own order.
  numberKey: 'integer',
  lockRows: () => sql``,
  rowsOf: (json, alias) => sql`json_each(${json}) as ${sql.ref(alias)}`,
  singleProcess: true,
}
