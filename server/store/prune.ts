/**
 * Retention. Every step is a small transaction, so that nobody else waits for it; the caller goes on from the number
 * that a step returns until it is null.
 *
 * Rows are walked in the order of their numbers, which is that of their creation: what may go stands at the beginning,
 * and no index has to be kept for it.
 */
import { type ExpressionBuilder, type RawBuilder, sql } from 'kysely'
import { keysOfDelivery } from '#server/store/attempt-key.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import { dueAgain, lockLanes } from '#server/store/lanes.ts'
import {
  endOfDay,
  type Partitioned,
  partition,
  partitionDays,
  partitioned,
  partitionName,
} from '#server/store/partitions.ts'
import type { Tables } from '#server/store/schema.ts'
import type { Store, Trx } from '#server/store/store.ts'

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

/** A row that the walk looks at. */
interface OldRow {
  readonly seq: number
  readonly webhook_id: string
  readonly event_day: number
  readonly state: 'pending' | 'leased' | 'delivered' | 'exhausted' | 'cancelled'
  readonly created_at: number
  readonly finished_at: number | null
  readonly resends: number
  readonly due_at: number
  /** Null: of a webhook that is gone. */
  readonly webhook: string | null
}

/**
 * Removes deliveries that ended before the time, with their attempts, and what a webhook that is gone has left behind.
 * What has waited for as long as that, for whatever, is given up: it shows as exhausted for another such period, and then
 * goes too. So no event keeps its day for ever.
 *
 * What is found is decided again by the statements that change it: others resend, claim and finish meanwhile.
 */
export async function pruneDeliveries(
  store: Store,
  after: number,
  request: PruneRequest,
): Promise<PruneStep> {
  const { before, limit } = request
  return await store.write.transaction().execute(async (trx) => {
    const rows: readonly OldRow[] = await trx
      .selectFrom('delivery')
      .leftJoin('webhook', 'webhook.id', 'delivery.webhook_id')
      .select([
        'delivery.seq',
        'delivery.webhook_id',
        'delivery.event_day',
        'delivery.state',
        'delivery.created_at',
        'delivery.finished_at',
        'delivery.resends',
        'delivery.due_at',
        'webhook.id as webhook',
      ])
      .where('delivery.seq', '>', after)
      .orderBy('delivery.seq')
      .limit(limit)
      .execute()
    const old = rows.filter((row) => row.created_at < before)
    await giveUp(trx, store.facts, old, request)
    const ended = old.filter((row) => row.finished_at !== null && row.finished_at < before)
    const orphans = old.filter((row) => row.webhook === null)
    const removed =
      (await removeDeliveries(trx, store.facts, ended, sql`finished_at < ${before}`)) +
      (await removeDeliveries(trx, store.facts, orphans, sql`true`))
    const last = rows.at(-1)
    const more = rows.length === limit && old.length === rows.length && last !== undefined
    return { removed, next: more ? last.seq : null }
  })
}

/** Gives up what has waited since before the time: behind a breaker, a rate, an earlier event, held, tried in vain. */
async function giveUp(
  trx: Trx,
  facts: DialectFacts,
  old: readonly OldRow[],
  { before, now }: PruneRequest,
): Promise<void> {
  const pending = old.filter((row) => row.state === 'pending' && row.webhook !== null)
  const since = await waitingSince(trx, facts, pending)
  const late = pending.filter((row) => (since.get(row.seq) ?? row.created_at) < before)
  if (late.length === 0) return
  const webhooks = [...new Set(late.map((row) => row.webhook_id))]
  // Whoever claims, resends or cancels has the lane: from here on they stay as they are.
  await lockLanes(trx, facts, webhooks)
  // Somebody may have had it sent again, or enabled its webhook, since it was looked at.
  const which = late.map(({ seq, resends, due_at }) => ({ seq, resends, due: due_at }))
  await sql`
    update delivery set state = 'exhausted', finished_at = ${now}, given_up_because = 'waited_too_long'
    where state = 'pending' and (seq, resends, due_at) in (
      select cast(r.value ->> 'seq' as bigint), cast(r.value ->> 'resends' as bigint),
        cast(r.value ->> 'due' as bigint)
      from ${facts.rowsOf(JSON.stringify(which), 'r')})`.execute(trx)
  // Later events of a call may have waited for one of them.
  await sql`
    update lane set next_due = ${dueAgain(now)}
    where webhook_id in (
      select r.value ->> 'webhook'
      from ${facts.rowsOf(JSON.stringify(webhooks.map((webhook) => ({ webhook }))), 'r')})`.execute(
    trx,
  )
}

/**
 * Since when those wait that somebody had sent again, epoch ms: since the first attempt after that, or as long as it has
 * been due; the others wait since they were made. `due_at` alone would not do: each probe of a breaker puts one off.
 */
async function waitingSince(
  trx: Trx,
  facts: DialectFacts,
  rows: readonly OldRow[],
): Promise<ReadonlyMap<number, number>> {
  const resent = rows.filter((row) => row.resends > 0)
  const since = new Map(resent.map((row) => [row.seq, row.due_at]))
  for (const [day, ofDay] of Map.groupBy(resent, (row) => row.event_day)) {
    const rounds = ofDay.map(({ seq, resends }) => {
      const [above, last] = keysOfDelivery(seq)
      return { seq, resends, above, last }
    })
    const found = await sql<{ seq: number; at: number }>`
      select cast(r.value ->> 'seq' as bigint) as seq, min(a.started_at) as at
      from ${facts.rowsOf(JSON.stringify(rounds), 'r')} cross join ${sql.table(partitionName('attempt', day))} as a
      where a.seq > cast(r.value ->> 'above' as bigint) and a.seq <= cast(r.value ->> 'last' as bigint)
        and a.resend = cast(r.value ->> 'resends' as bigint)
      group by r.value ->> 'seq'`.execute(trx)
    for (const { seq, at } of found.rows) since.set(seq, Math.min(at, since.get(seq) ?? at))
  }
  return since
}

/**
 * Removes those of the rows that still are as `condition` says and that nobody else is changing; returns how many. Their
 * attempts go with the partition.
 */
async function removeDeliveries(
  trx: Trx,
  facts: DialectFacts,
  rows: readonly { readonly seq: number }[],
  condition: RawBuilder<unknown>,
): Promise<number> {
  if (rows.length === 0) return 0
  const list = JSON.stringify(rows.map(({ seq }) => ({ seq })))
  const free = await sql<{ seq: number }>`
    select seq from delivery
    where seq in (select cast(r.value ->> 'seq' as bigint) from ${facts.rowsOf(list, 'r')})
      and ${condition}
    order by seq ${facts.lockRows('delivery')}`.execute(trx)
  const seqs = free.rows.map((row) => row.seq)
  if (seqs.length > 0) await trx.deleteFrom('delivery').where('seq', 'in', seqs).execute()
  return seqs.length
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
      .select((e) => ['seq', 'created_at', hasDelivery(e).as('used')])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute()
    const old = rows.filter((row) => row.created_at < before)
    const unused = old.filter((row) => !row.used).map((row) => row.seq)
    const removed = await removeEvents(trx, store.facts, unused)
    const last = rows.at(-1)
    const more = rows.length === limit && old.length === rows.length && last !== undefined
    return { removed, next: more ? last.seq : null }
  })
}

const hasDelivery = (e: ExpressionBuilder<Tables, 'event'>) =>
  e.exists(
    e
      .selectFrom('delivery')
      .select('delivery.seq')
      .whereRef('delivery.event_seq', '=', 'event.seq'),
  )

/**
 * Removes those that no delivery speaks of; returns how many. A replay locks the event before it makes a delivery of it
 * (`replay-missing.ts`): once the events are locked here, by a statement of its own, none comes any more.
 */
async function removeEvents(
  trx: Trx,
  facts: DialectFacts,
  seqs: readonly number[],
): Promise<number> {
  if (seqs.length === 0) return 0
  const list = JSON.stringify(seqs.map((seq) => ({ seq })))
  const free = await sql<{ seq: number }>`
    select seq from event
    where seq in (select cast(r.value ->> 'seq' as bigint) from ${facts.rowsOf(list, 'r')})
    order by seq ${facts.lockRows('event')}`.execute(trx)
  const locked = free.rows.map((row) => row.seq)
  if (locked.length === 0) return 0
  const removed = await trx
    .deleteFrom('event')
    .where('seq', 'in', locked)
    .where((e) => e.not(hasDelivery(e)))
    .returning('seq')
    .execute()
  return removed.length
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

/**
 * Removes deliveries of deleted webhooks, and at last the webhooks; `false`: there is nothing left to remove, or somebody
 * else is changing what is.
 */
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
    const removed = await removeDeliveries(trx, store.facts, rows, sql`true`)
    if (removed < rows.length) return removed > 0
    if (rows.length < limit) await trx.deleteFrom('webhook').where('id', '=', webhook.id).execute()
    return true
  })
}
