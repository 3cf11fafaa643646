/**
 * Bodies of events and attempts are in one table per day: `event_body_20779`, `attempt_20779`. They are nearly all of
 * the bytes, and a table is dropped in one go, where deleting row by row would write as much again. So is what calls are
 * found by (`call-numbers.ts`).
 *
 * The day is that on which the event was accepted (whole days since 1970, UTC). A delivery has it as `event_day`, so
 * that its body and all its attempts are found without a search, however much later they were made.
 */
import type { Transaction } from 'kysely'
import type { RunBatch, Select } from '#server/store/batch.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import type { Tables } from '#server/store/schema.ts'
import type { Db, Store, Trx } from '#server/store/store.ts'

export type Partitioned = (typeof partitioned)[number]
/**
 * In the order in which a reader comes to them, and in which they are dropped: on PostgreSQL the two would wait for each
 * other else.
 */
export const partitioned = ['call_number', 'attempt', 'event_body'] as const

export const dayMs = 86_400_000

/** The day of a time in epoch milliseconds. */
export function dayOf(time: number): number {
  return Math.floor(time / dayMs)
}

/** The first millisecond after the day. */
export function endOfDay(day: number): number {
  return (day + 1) * dayMs
}

export function partitionName(table: Partitioned, day: number): string {
  return `${table}_${day}`
}

/**
 * The table of that day for a query builder, under the name of the whole: `selectFrom(partition('attempt', day))`. It is
 * there as long as any event of the day is.
 */
export function partition<T extends 'event_body' | 'attempt'>(table: T, day: number): T {
  // Kysely reads the alias at run time; for the types it is the table that every day's is like.
  return `${partitionName(table, day)} as ${table}` as T
}

/** Makes the tables of the day where they are not there yet; part of the transaction that first writes into them. */
export async function makePartitions(
  trx: Transaction<Tables>,
  facts: DialectFacts,
  day: number,
): Promise<void> {
  for (const statement of facts.makePartitions(day)) await statement.execute(trx)
  await trx
    .insertInto('day_partition')
    .values({ day })
    .onConflict((c) => c.column('day').doNothing())
    .execute()
}

/** Makes the tables of the day of that time, in a transaction of its own. */
export async function preparePartitions(store: Store, time: number): Promise<void> {
  await store.write
    .transaction()
    .execute(async (trx) => await makePartitions(trx, store.facts, dayOf(time)))
}

/** The days that have tables, oldest first. */
export async function partitionDays(db: Db): Promise<readonly number[]> {
  const rows = await db.selectFrom('day_partition').select('day').orderBy('day').execute()
  return rows.map((row) => row.day)
}

/** The bodies of events, by their number. An event is never without its body. */
export async function readBodies(
  db: Db,
  events: readonly { readonly seq: number; readonly day: number }[],
): Promise<ReadonlyMap<number, string>> {
  const bodies = new Map<number, string>()
  for (const [day, ofDay] of Map.groupBy(events, (event) => event.day)) {
    const seqs = [...new Set(ofDay.map((event) => event.seq))]
    const rows = await db
      .selectFrom(partition('event_body', day))
      .select(['event_body.event_seq', 'event_body.body'])
      .where('event_body.event_seq', 'in', seqs)
      .execute()
    for (const row of rows) bodies.set(row.event_seq, row.body)
  }
  return bodies
}

/** The same within a transaction of the hot path, by statements that stay prepared. */
export async function readBodiesIn(
  trx: Trx,
  batch: RunBatch,
  events: readonly { readonly seq: number; readonly day: number }[],
): Promise<ReadonlyMap<number, string>> {
  const bodies = new Map<number, string>()
  for (const [day, ofDay] of Map.groupBy(events, (event) => event.day)) {
    const seqs = [...new Set(ofDay.map((event) => event.seq))].map((seq) => [seq])
    const rows = await batch.select<{ event_seq: number; body: string }>(trx, bodyOf(day), seqs)
    for (const row of rows) bodies.set(row.event_seq, row.body)
  }
  return bodies
}

const bodyOf = (day: number): Select => ({
  columns: { event: 'bigint' },
  statement: (of, from) => {
    const table = `${partitionName('event_body', day)} as b`
    return `select b.event_seq, b.body
      ${from === '' ? `from ${table} where` : `${from} join ${table} on`} b.event_seq = ${of('event')}`
  },
})

/** `readBodies` for one that must be there. */
export function bodyIn(bodies: ReadonlyMap<number, string>, eventSeq: number): string {
  const body = bodies.get(eventSeq)
  if (body === undefined) throw new Error(`the body of event ${eventSeq} is not in its partition`)
  return body
}
