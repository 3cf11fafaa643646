import { type RawBuilder, sql } from 'kysely'

/**
 * What differs between databases, as data: one row each. Store functions use these fragments and never ask which
 * database they are on.
 */
export interface DialectFacts {
  readonly name: string
  /** Column type of a primary key that the database counts up by itself and never gives twice. */
  readonly serialKey: RawBuilder<unknown>
  /** The statements that make the tables of a day where they are not there yet; see `partitions.ts`. */
  readonly makePartitions: (day: number) => readonly RawBuilder<unknown>[]
  /** Ends a select whose rows (of the table with that alias) are about to be changed, passing over rows that others are changing. */
  readonly lockRows: (alias: string) => RawBuilder<unknown>
  /**
   * Table expression with one row per element of a JSON array, in the column `value` of the alias. A batch of any
   * size is then one parameter and one constant text, which stays prepared.
   */
  readonly rowsOf: (json: string, alias: string) => RawBuilder<unknown>
  /** How much room is free within the files; null: the database gives it back by itself. */
  readonly freePages: RawBuilder<{ readonly freelist_count: number }> | null
  /** Gives some of it back to the file system. */
  readonly giveBack: (pages: number) => RawBuilder<unknown>
  /** True: no other process can be on this database, so that every lease found at start is of a dead process. */
  readonly singleProcess: boolean
}

/** The columns of a day's tables beside their keys. */
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
  decision text not null`

export const sqliteFacts: DialectFacts = {
  name: 'SQLite',
  // Without autoincrement the number of a deleted last row would be given again.
  serialKey: sql`integer primary key autoincrement`,
  // "bigint primary key" would be an index beside the table instead of the table's own order.
  makePartitions: (day) => [
    sql`create table if not exists ${sql.table(`event_body_${day}`)}
      (event_seq integer primary key, ${sql.raw(eventBodyColumns)})`,
    sql`create table if not exists ${sql.table(`attempt_${day}`)}
      (seq integer primary key, ${sql.raw(attemptColumns)})`,
  ],
  lockRows: () => sql``,
  rowsOf: (json, alias) => sql`json_each(${json}) as ${sql.ref(alias)}`,
  freePages: sql`pragma freelist_count`,
  giveBack: (pages) => sql.raw(`pragma incremental_vacuum(${pages})`),
  singleProcess: true,
}
