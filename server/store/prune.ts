/**
 * Retention. Every step is a small transaction, so that nobody else waits for it; the caller goes on from the number
 * that a step returns until it is null.
 *
 * Rows are walked in the order of their numbers, which is that of their creation: what may go stands at the beginning,
 * and no index has to be kept for it.
 */
import { sql } from 'kysely'
import type { OnExhausted } from '#contracts/webhook.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import {
  endOfDay,
  type Partitioned,
  partition,
  partitionDays,
  partitioned,
  partitionName,
} from '#server/store/partitions.ts'
import type { Db, Store, Trx } from '#server/store/store.ts'

export interface PruneRequest {
  /** Epoch milliseconds: what ended before may go. */
  readonly before: number
  readonly now: number
  /** Rows looked at in one step. */
  readonly limit: number
}

export interface PruneStep {
  readonly removed: number
  /** Where the next step begins; null: nothing older is left. */
  readonly next: number | null
}

/**
 * Removes deliveries that ended before the time, with their attempts. What was held for as long as that is given up:
 * it shows as exhausted for another such period, and then goes too.
 */
export async function pruneDeliveries(
  store: Store,
  after: number,
  { before, now, limit }: PruneRequest,
): Promise<PruneStep> {
  return await store.write.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('delivery')
      .leftJoin('lane', 'lane.webhook_id', 'delivery.webhook_id')
      .leftJoin('webhook', 'webhook.id', 'delivery.webhook_id')
      .select([
        'delivery.seq',
        'delivery.state',
        'delivery.created_at',
        'delivery.finished_at',
        'lane.held',
        'webhook.on_exhausted',
      ])
      .where('delivery.seq', '>', after)
      .orderBy('delivery.seq')
      .limit(limit)
      .execute()
    const old = rows.filter((row) => row.created_at < before)
    const over = old.filter((row) => row.finished_at !== null && row.finished_at < before)
    const held = old.filter((row) => row.state === 'pending' && mayBeHeld(row))
    await removeDeliveries(trx, over)
    if (held.length > 0) {
      await trx
        .updateTable('delivery')
        .set({ state: 'exhausted', finished_at: now })
        .where(
          'seq',
          'in',
          held.map((row) => row.seq),
        )
        .execute()
    }
    const last = rows.at(-1)
    const more = rows.length === limit && old.length === rows.length && last !== undefined
    return { removed: over.length, next: more ? last.seq : null }
  })
}

/** Disabled, or blocked in strict order: with the event that blocks it gone, it would be sent a month late. */
function mayBeHeld(row: {
  readonly held: 0 | 1 | null
  readonly on_exhausted: OnExhausted | null
}): boolean {
  return row.held === 1 || row.on_exhausted === 'block'
}

/** Their attempts go with the partition. */
async function removeDeliveries(db: Db, rows: readonly { readonly seq: number }[]): Promise<void> {
  if (rows.length === 0) return
  const seqs = rows.map((row) => row.seq)
  await db.deleteFrom('delivery').where('seq', 'in', seqs).execute()
}

/** Removes events from before the time that no delivery speaks of any more. Their bodies go with the partition. */
export async function pruneEvents(
  store: Store,
  after: number,
  { before, limit }: PruneRequest,
): Promise<PruneStep> {
  return await store.write.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('event')
      .select((e) => [
        'seq',
        'created_at',
        e
          .exists(
            e
              .selectFrom('delivery')
              .select('delivery.seq')
              .whereRef('delivery.event_seq', '=', 'event.seq'),
          )
          .as('used'),
      ])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute()
    const old = rows.filter((row) => row.created_at < before)
    const seqs = old.filter((row) => !row.used).map((row) => row.seq)
    if (seqs.length > 0) {
      await trx.deleteFrom('event').where('seq', 'in', seqs).execute()
    }
    const last = rows.at(-1)
    const more = rows.length === limit && old.length === rows.length && last !== undefined
    return { removed: seqs.length, next: more ? last.seq : null }
  })
}

/**
 * Drops the partitions of the oldest day before the time whose events are all gone. On SQLite a piece at a time: to free
 * the pages of a large table takes seconds, for which nobody else could write. `false`: there is none to drop.
 */
export async function prunePartitions(
  store: Store,
  { before, limit }: Pick<PruneRequest, 'before' | 'limit'>,
): Promise<boolean> {
  return await store.write.transaction().execute(async (trx) => {
    for (const day of await partitionDays(trx)) {
      if (endOfDay(day) > before) return false
      if (!(await hasToItself(trx, store.facts, day)) || (await hasEvents(trx, day))) continue
      if (!store.facts.dropsAtOnce && (await removePiece(trx, day, limit))) return true
      await dropDay(trx, day)
      return true
    }
    return false
  })
}

async function dropDay(trx: Trx, day: number): Promise<void> {
  for (const table of partitioned) {
    await sql`drop table ${sql.table(partitionName(table, day))}`.execute(trx)
  }
  await trx.deleteFrom('day_partition').where('day', '=', day).execute()
}

/** False: another process has dropped the day meanwhile. */
async function hasToItself(trx: Trx, facts: DialectFacts, day: number): Promise<boolean> {
  const found = await sql`
    select day from day_partition where day = ${day} ${facts.awaitRows('day_partition')}`.execute(
    trx,
  )
  return found.rows.length > 0
}

async function hasEvents(trx: Trx, day: number): Promise<boolean> {
  const { first, last } = await trx
    .selectFrom(partition('event_body', day))
    .select([
      sql<number | null>`min(event_seq)`.as('first'),
      sql<number | null>`max(event_seq)`.as('last'),
    ])
    .executeTakeFirstOrThrow()
  if (first === null || last === null) return false
  const event = await trx
    .selectFrom('event')
    .select('seq')
    .where('seq', '>=', first)
    .where('seq', '<=', last)
    .limit(1)
    .executeTakeFirst()
  return event !== undefined
}

/** Removes some rows of the day; false: these were the last. */
async function removePiece(trx: Trx, day: number, limit: number): Promise<boolean> {
  for (const table of partitioned) {
    if ((await removeFirst(trx, table, day, limit)) === limit) return true
  }
  return false
}

const keys: Readonly<Record<Partitioned, readonly string[]>> = {
  attempt: ['seq'],
  event_body: ['event_seq'],
  call_number: ['account_id', 'number', 'event_seq'],
}

/** Removes the first rows of a day's table; returns how many, fewer than `limit` when these were the last. */
async function removeFirst(
  trx: Trx,
  table: Partitioned,
  day: number,
  limit: number,
): Promise<number> {
  const name = sql.table(partitionName(table, day))
  const key = sql.join(keys[table].map((column) => sql.ref(column)))
  const removed = await sql`
    delete from ${name} where (${key}) in (
      select ${key} from ${name} order by ${key} limit ${limit})
    returning 1`.execute(trx)
  return removed.rows.length
}

/**
 * Gives up to `pages` pages of what was removed back to the file system; `false`: there are none left, or the database
 * does it by itself.
 */
export async function giveSpaceBack(store: Store, pages: number): Promise<boolean> {
  const { freePages, giveBack } = store.facts
  if (freePages === null) return false
  const { rows } = await freePages.execute(store.write)
  if ((rows[0]?.freelist_count ?? 0) === 0) return false
  await giveBack(pages).execute(store.write)
  return true
}

/** Removes deliveries of deleted webhooks, and at last the webhooks; `false`: there is nothing left to remove. */
export async function pruneDeletedWebhooks(store: Store, limit: number): Promise<boolean> {
  return await store.write.transaction().execute(async (trx) => {
    const webhook = await trx
      .selectFrom('webhook')
      .select('id')
      .where('deleted_at', 'is not', null)
      .orderBy('deleted_at')
      .limit(1)
      .executeTakeFirst()
    if (webhook === undefined) return false
    const rows = await trx
      .selectFrom('delivery')
      .select('seq')
      .where('webhook_id', '=', webhook.id)
      .orderBy('created_at')
      .orderBy('seq')
      .limit(limit)
      .execute()
    await removeDeliveries(trx, rows)
    if (rows.length < limit) await trx.deleteFrom('webhook').where('id', '=', webhook.id).execute()
    return true
  })
}
