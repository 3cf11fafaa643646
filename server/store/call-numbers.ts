/**
 * Which calls a phone number was in: a table per day (`call_number_20779`), with the first event of each call under the
 * keys of its two ends (`domain/events/number-keys.ts`). One entry per call and not per event: it costs a write into
 * the middle of a tree, and all events of a call are found by its UUID.
 */
import { sql } from 'kysely'
import type { Insert } from '#server/store/batch.ts'
import type { Place } from '#server/store/page.ts'
import { type Partitioned, partitionDays, partitionName } from '#server/store/partitions.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Db, Trx } from '#server/store/store.ts'
import type { Window } from '#server/store/walk.ts'

const table: Partitioned = 'call_number'

export interface NewCall {
  readonly accountId: string
  readonly day: number
  /** The number of its first event. */
  readonly firstEvent: number
  readonly keys: readonly string[]
}

const insertNumber = (day: number): Insert => ({
  into: partitionName(table, day),
  columns: { account_id: 'text', number: 'text', event_seq: 'bigint' },
})

/** Part of the transaction that accepts the first events; after the day's tables are there. */
export async function insertCallNumbers(
  trx: Trx,
  { batch }: Pick<ProcedureContext, 'batch'>,
  calls: readonly NewCall[],
): Promise<void> {
  for (const [day, ofDay] of Map.groupBy(calls, (call) => call.day)) {
    const rows = ofDay.flatMap(({ accountId, firstEvent, keys }) =>
      keys.map((number) => [accountId, number, firstEvent]),
    )
    if (rows.length > 0) await batch.insert(trx, insertNumber(day), rows)
  }
}

export interface NumberSearch {
  readonly accountId: string
  /** At least one. */
  readonly keys: readonly string[]
  /** Calls that began on a later day are left out; null: none are. */
  readonly lastDay: number | null
}

/** Calls looked at in one window. */
const callsAtOnce = 200
const last = Number.MAX_SAFE_INTEGER

/** Places of a search by number are the day, the number of the call's first event, and that of the row in the call. */
export const firstPlace: Place = [last, last, last]

/**
 * One window of a search by number, newest call first. `readRows` reads the rows of these calls, told by their first
 * events, in the order (call, row), below `from`; at most as many as the caller wants.
 */
export async function callWindow<R>(
  db: Db,
  search: NumberSearch,
  [day = last, call = last, row = last]: Place,
  readRows: (
    calls: readonly number[],
    from: { call: number; row: number },
  ) => Promise<readonly R[]>,
): Promise<Window<R>> {
  const upTo = Math.min(day, search.lastDay ?? last)
  const days = (await partitionDays(db)).filter((d) => d <= upTo).toReversed()
  const [current, earlier] = days
  if (current === undefined) return { rows: [], next: null }
  const from = current === day ? { call, row } : { call: last, row: last }
  const calls = await callsBelow(db, search, current, from.call)
  const rows = calls.length === 0 ? [] : await readRows(calls, from)
  const lowest = calls.at(-1)
  if (calls.length === callsAtOnce && lowest !== undefined) {
    return { rows, next: [current, lowest - 1, last] }
  }
  return { rows, next: earlier === undefined ? null : [earlier, last, last] }
}

/** One seek for each key; the numbers of the first events, highest first. */
async function callsBelow(
  db: Db,
  { accountId, keys }: NumberSearch,
  day: number,
  highest: number,
): Promise<readonly number[]> {
  const arms = keys.map(
    (key, i) => sql`select * from (
      select event_seq from ${sql.table(partitionName(table, day))}
      where account_id = ${accountId} and number = ${key} and event_seq <= ${highest}
      order by event_seq desc limit ${callsAtOnce}) as ${sql.ref(`key${i}`)}`,
  )
  const found = await sql<{ event_seq: number }>`
    select distinct event_seq from (${sql.join(arms, sql` union all `)}) as found
    order by event_seq desc limit ${callsAtOnce}`.execute(db)
  return found.rows.map((row) => row.event_seq)
}
