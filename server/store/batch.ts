/**
 * One statement for many rows, on the hot path. On SQLite it is run once per row, prepared: 3 µs for a row of twenty
 * columns, where taking them out of a JSON text costs 28 (measured). Where a statement is a trip over the network the
 * rows go together, as one array per column. The text is the same for any number of rows, so that it stays prepared.
 *
 * On SQLite these are plain `insert … values` and `update`, without `returning` and `select`: each of these costs a
 * temporary table or a journal of its own for every single row, more than the row itself (measured).
 */
import { CompiledQuery } from 'kysely'
import { binaryArray } from '#server/store/postgres-array.ts'
import type { Trx } from '#server/store/store.ts'

export type Value = string | number | null

/** The names of what each row brings, in the order of its values, with their types. */
export type BatchColumns = Readonly<Record<string, 'bigint' | 'integer' | 'text'>>

export interface Insert {
  readonly into: string
  /** By their names in the table. */
  readonly columns: BatchColumns
  /** Where a row with the same value in this column is there, nothing is written. */
  readonly unlessThere?: string
  /** The numbers (`seq`) that the rows get are asked for; these columns tell the rows of a batch apart. */
  readonly numberedBy?: readonly string[]
}

export interface Select {
  readonly columns: BatchColumns
  /** `of` gives the expression for a column; `from` is what the columns come from, empty where they are parameters. */
  readonly statement: (of: (column: string) => string, from: string) => string
}

export interface Update extends Select {
  /** Whether each row has changed something is asked for. */
  readonly tells?: boolean
}

export type Rows = readonly (readonly Value[])[]

export interface RunBatch {
  /** What the statement finds, in the order of the rows where each is run by itself. */
  readonly select: <R>(trx: Trx, select: Select, rows: Rows) => Promise<readonly R[]>
  /** For each row its number; null: it was there. Nothing where no numbers are asked for. */
  readonly insert: (trx: Trx, insert: Insert, rows: Rows) => Promise<readonly (number | null)[]>
  /** For each row whether it has changed something. Nothing where that is not asked for. */
  readonly update: (trx: Trx, update: Update, rows: Rows) => Promise<readonly boolean[]>
}

/** The text for one row, whose values are the parameters in their order. */
export function insertOne({ into, columns, unlessThere }: Insert): string {
  const names = Object.keys(columns)
  const values = names.map(() => '?')
  return `insert into ${into} (${names.join(', ')}) values (${values.join(', ')})${orNothing(unlessThere)}`
}

/** The text for one row, whose values are the parameters in their order. */
export function perRow({ columns, statement }: Select): string {
  const names = Object.keys(columns)
  return statement((column) => `?${names.indexOf(column) + 1}`, '')
}

function orNothing(unlessThere: string | undefined): string {
  return unlessThere === undefined ? '' : ` on conflict (${unlessThere}) do nothing`
}

/** All rows in one statement, on PostgreSQL: one parameter per column. */
export const runTogether: RunBatch = {
  async select<R>(trx: Trx, select: Select, rows: Rows) {
    const query = CompiledQuery.raw(together(select), arraysOf(select.columns, rows))
    return (await trx.executeQuery<R>(query)).rows
  },
  async insert(trx, { into, columns, unlessThere, numberedBy }, rows) {
    const names = Object.keys(columns)
    const returning = numberedBy === undefined ? '' : ` returning seq, ${numberedBy.join(', ')}`
    const text = `insert into ${into} (${names.join(', ')})
      select ${names.map((_, i) => `r.c${i}`).join(', ')}
      ${fromArrays(columns)}${orNothing(unlessThere)}${returning}`
    const query = CompiledQuery.raw(text, arraysOf(columns, rows))
    const { rows: written } = await trx.executeQuery<Readonly<Record<string, Value>>>(query)
    if (numberedBy === undefined) return []
    const numbers = new Map(
      written.map((row) => [numberedBy.map((name) => row[name]).join(' '), Number(row.seq)]),
    )
    const places = numberedBy.map((name) => names.indexOf(name))
    return rows.map((row) => {
      const key = places.map((at) => row[at]).join(' ')
      const number = numbers.get(key) ?? null
      // The same row twice: the first one made it.
      numbers.delete(key)
      return number
    })
  },
  async update(trx, update, rows) {
    const { columns, tells = false } = update
    const text = tells ? `${together(update)} returning r.place` : together(update)
    const query = CompiledQuery.raw(text, arraysOf(columns, rows))
    const { rows: written } = await trx.executeQuery<{ place: number }>(query)
    if (!tells) return []
    // They are counted from 1.
    const places = new Set(written.map(({ place }) => Number(place) - 1))
    return rows.map((_, i) => places.has(i))
  },
}

function together({ columns, statement }: Select): string {
  const names = Object.keys(columns)
  return statement((column) => `r.c${names.indexOf(column)}`, fromArrays(columns))
}

function fromArrays(columns: BatchColumns): string {
  const arrays = Object.values(columns).map((type, i) => `$${i + 1}::${type}[]`)
  const names = arrays.map((_, i) => `c${i}`)
  return `from unnest(${arrays.join(', ')}) with ordinality as r(${names.join(', ')}, place)`
}

function arraysOf(columns: BatchColumns, rows: Rows): Buffer[] {
  return Object.values(columns).map((type, i) =>
    binaryArray(
      type,
      rows.map((row) => row[i] ?? null),
    ),
  )
}
