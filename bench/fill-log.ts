/**
 * Fills the log of an engine with a long past, faster than it could be lived: what was really delivered is copied, row
 * by row with new numbers, into the days before. SQLite only.
 */
import { type RawBuilder, sql } from 'kysely'
import { attemptsOfOne } from '#server/store/attempt-key.ts'
import { dayMs, dayOf, makePartitions, partitionName } from '#server/store/partitions.ts'
import type { Store, Trx } from '#server/store/store.ts'

export interface FillRequest {
  /** How many attempts are to be added, each of a delivery of its own; each event has `deliveriesPerEvent`. */
  readonly attempts: number
  readonly days: number
  readonly deliveriesPerEvent: number
}

/** The rows that are copied: all that the database has, of one day. */
interface Template {
  readonly day: number
  /** Copies get numbers above these. */
  readonly lastEvent: number
  readonly lastDelivery: number
  readonly deliveries: number
}

/** Everything must be delivered. Returns how many attempts were added. */
export async function fillLog(
  { write, facts }: Store,
  { attempts, days, deliveriesPerEvent }: FillRequest,
): Promise<number> {
  const template = await write.transaction().execute(readTemplate)
  let added = 0
  for (let copy = 1; added < attempts; copy += 1) {
    await write.transaction().execute(async (trx) => {
      const ago = 1 + (Math.floor(copy / deliveriesPerEvent) % days)
      await makePartitions(trx, facts, template.day - ago)
      const place = { copy, ago, eventCopy: Math.floor(copy / deliveriesPerEvent) + 1 }
      if (copy === 1 || copy % deliveriesPerEvent === 0) await copyEvents(trx, template, place)
      await copyDeliveries(trx, template, place)
    })
    added += template.deliveries
  }
  return added
}

async function readTemplate(trx: Trx): Promise<Template> {
  const found = await sql<{ events: number; deliveries: number; count: number; at: number }>`
    select (select max(seq) from event) as events, max(seq) as deliveries, count(*) as count,
      min(created_at) as at
    from delivery`.execute(trx)
  const [row] = found.rows
  if (row === undefined || row.count === 0) throw new Error('there is nothing to copy')
  return {
    day: dayOf(row.at),
    lastEvent: row.events,
    lastDelivery: row.deliveries,
    deliveries: row.count,
  }
}

interface Place {
  readonly copy: number
  readonly eventCopy: number
  readonly ago: number
}

/** Copies rows of a table, column by column, with some of them changed. */
async function copyRows(
  trx: Trx,
  [from, to]: readonly [string, string],
  changed: Readonly<Record<string, RawBuilder<unknown>>>,
  where: RawBuilder<unknown>,
): Promise<void> {
  const found = await sql<{ name: string }>`select name from pragma_table_info(${from})`.execute(
    trx,
  )
  const names = found.rows.map(({ name }) => name)
  const columns = sql.join(names.map((name) => sql.ref(name)))
  const values = sql.join(names.map((name) => changed[name] ?? sql.ref(name)))
  await sql`
    insert into ${sql.table(to)} (${columns})
    select ${values} from ${sql.table(from)} where ${where}`.execute(trx)
}

async function copyEvents(trx: Trx, { day, lastEvent }: Template, { eventCopy, ago }: Place) {
  const shift = sql.lit(lastEvent * eventCopy)
  const earlier = sql`created_at - ${sql.lit(ago * dayMs)}`
  await copyRows(
    trx,
    ['event', 'event'],
    {
      seq: sql`seq + ${shift}`,
      id: sql`id || ${sql.lit(`c${eventCopy}`)}`,
      occurred_at: sql`occurred_at - ${sql.lit(ago * dayMs)}`,
      created_at: earlier,
    },
    sql`seq <= ${sql.lit(lastEvent)}`,
  )
  await copyRows(
    trx,
    [partitionName('event_body', day), partitionName('event_body', day - ago)],
    { event_seq: sql`event_seq + ${shift}` },
    sql`event_seq <= ${sql.lit(lastEvent)}`,
  )
}

async function copyDeliveries(
  trx: Trx,
  { day, lastEvent, lastDelivery }: Template,
  { copy, eventCopy, ago }: Place,
) {
  const shift = sql.lit(lastDelivery * copy)
  const past = sql.lit(ago * dayMs)
  await copyRows(
    trx,
    ['delivery', 'delivery'],
    {
      seq: sql`seq + ${shift}`,
      event_seq: sql`event_seq + ${sql.lit(lastEvent * eventCopy)}`,
      event_day: sql`event_day - ${sql.lit(ago)}`,
      due_at: sql`due_at - ${past}`,
      created_at: sql`created_at - ${past}`,
      finished_at: sql`finished_at - ${past}`,
    },
    sql`seq <= ${sql.lit(lastDelivery)}`,
  )
  await copyRows(
    trx,
    [partitionName('attempt', day), partitionName('attempt', day - ago)],
    {
      seq: sql`seq + ${sql.lit(lastDelivery * copy * attemptsOfOne)}`,
      started_at: sql`started_at - ${past}`,
    },
    sql`seq < ${sql.lit((lastDelivery + 1) * attemptsOfOne)}`,
  )
}
