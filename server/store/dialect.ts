import { type RawBuilder, sql } from 'kysely'

/**
 * What differs between databases, as data: one row each. Store functions use these fragments and never ask which
 * database they are on.
 */
export interface DialectFacts {
  readonly name: string
  /** One row, `present` 1 or 0: whether there is a table of that name. */
  readonly hasTable: (name: string) => RawBuilder<{ readonly present: number }>
  /** Column type of a primary key that the database counts up by itself and never gives twice. */
  readonly serialKey: RawBuilder<unknown>
  /** The statements that make the tables of a day where they are not there yet; see `partitions.ts`. */
  readonly makePartitions: (day: number) => readonly RawBuilder<unknown>[]
  /** Ends a select whose rows (of the table with that alias) are about to be changed, passing over rows that others are changing. */
  readonly lockRows: (alias: string) => RawBuilder<unknown>
  /** Ends a select that must have the rows of the table with that alias to itself, waiting for others that have them. */
  readonly awaitRows: (alias: string) => RawBuilder<unknown>
  /**
   * Table expression with one row per element of a JSON array, in the column `value` of the alias. A batch of any
   * size is then one parameter and one constant text, which stays prepared.
   */
  readonly rowsOf: (json: string, alias: string) => RawBuilder<unknown>
  /** True: a table of any size is dropped in a moment. */
  readonly dropsAtOnce: boolean
  /** How much room is free within the files; null: the database gives it back by itself. */
  readonly freePages: RawBuilder<{ readonly freelist_count: number }> | null
  /** Gives some of it back to the file system. */
  readonly giveBack: (pages: number) => RawBuilder<unknown>
  /** True: no other process can be on this database, so that every lease found at start is of a dead process. */
  readonly singleProcess: boolean
}

/** The columns of a day's tables beside their keys. */
const callNumberColumns = 'account_id text not null, number text not null, event_seq'
const callNumberKey = 'primary key (account_id, number, event_seq)'
export const eventBodyColumns = 'body text not null'
export const attemptColumns = `
  started_at bigint not null,
  ok integer not null,
  status_code integer,
  error text,
  error_detail text,
  method text not null,
  url text not null,
  request_headers text not null,
  request_body text,
  response_headers text,
  response_body text,
  response_truncated integer not null,
  remote_address text,
  http_version text,
  dns_ms integer,
  connect_ms integer,
  tls_ms integer,
  first_byte_ms integer,
  duration_ms integer not null,
  resend integer not null,
  next_try_at bigint,
  earlier_requests text,
  decision text not null`

export const sqliteFacts: DialectFacts = {
  name: 'SQLite',
  hasTable: (name) =>
    sql`select count(*) as present from sqlite_master where type = 'table' and name = ${name}`,
  // Without autoincrement the number of a deleted last row would be given again.
  serialKey: sql`integer primary key autoincrement`,
  // "bigint primary key" would be an index beside the table instead of the table's own order.
  makePartitions: (day) => [
    sql`create table if not exists ${sql.table(`event_body_${day}`)}
      (event_seq integer primary key, ${sql.raw(eventBodyColumns)})`,
    sql`create table if not exists ${sql.table(`attempt_${day}`)}
      (seq integer primary key, ${sql.raw(attemptColumns)})`,
    // One tree: it is its own index.
    sql`create table if not exists ${sql.table(`call_number_${day}`)}
      (${sql.raw(callNumberColumns)} integer not null, ${sql.raw(callNumberKey)}) without rowid`,
  ],
  // One transaction writes at a time.
  lockRows: () => sql``,
  awaitRows: () => sql``,
  rowsOf: (json, alias) => sql`json_each(${json}) as ${sql.ref(alias)}`,
  dropsAtOnce: false,
  freePages: sql`pragma freelist_count`,
  giveBack: (pages) => sql.raw(`pragma incremental_vacuum(${pages})`),
  singleProcess: true,
}

/** Any number; `open-postgres.ts` has another. */
const partitionLock = 7_310_421

export const postgresFacts: DialectFacts = {
  name: 'PostgreSQL',
  hasTable: (name) =>
    sql`select case when to_regclass(${name}) is null then 0 else 1 end as present`,
  serialKey: sql`bigint generated always as identity primary key`,
  // "If not exists" is no answer to two processes that ask at once; the lock goes with the transaction.
  makePartitions: (day) => [
    sql`select pg_advisory_xact_lock(${sql.lit(partitionLock)})`,
    sql`create table if not exists event_body
      (day integer not null, event_seq bigint not null, ${sql.raw(eventBodyColumns)})
      partition by list (day)`,
    sql`create table if not exists attempt
      (day integer not null, seq bigint not null, ${sql.raw(attemptColumns)})
      partition by list (day)`,
    sql`create table if not exists ${sql.table(`event_body_${day}`)} partition of event_body
      (day default ${sql.lit(day)}, primary key (event_seq)) for values in (${sql.lit(day)})`,
    sql`create table if not exists ${sql.table(`attempt_${day}`)} partition of attempt
      (day default ${sql.lit(day)}, primary key (seq)) for values in (${sql.lit(day)})`,
    sql`create table if not exists ${sql.table(`call_number_${day}`)}
      (${sql.raw(callNumberColumns)} bigint not null, ${sql.raw(callNumberKey)})`,
  ],
  lockRows: (alias) => sql`for update of ${sql.ref(alias)} skip locked`,
  awaitRows: (alias) => sql`for update of ${sql.ref(alias)}`,
  rowsOf: (json, alias) =>
    sql`jsonb_array_elements(cast(${wellFormedJson(json)} as jsonb)) as ${sql.ref(alias)}(value)`,
  dropsAtOnce: true,
  freePages: null,
  giveBack: () => sql`select 1`,
  singleProcess: false,
}

/** PostgreSQL has no place for NUL in a text, and UTF-8 none for half a surrogate pair. */
export function wellFormedText(text: string): string {
  const formed = text.isWellFormed() ? text : text.toWellFormed()
  return formed.includes('\0') ? formed.replaceAll('\0', '\uFFFD') : formed
}

/** The same for what JSON.stringify made: it escapes both, and whole pairs never. */
export function wellFormedJson(json: string): string {
  if (!json.includes('\\u')) return json
  return json.replaceAll(/\\(?:u[0-9a-f]{4}|.)/g, (escaped) =>
    escaped === '\\u0000' || escaped.startsWith('\\ud') ? '\uFFFD' : escaped,
  )
}
