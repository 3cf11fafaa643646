/**
 * Replaying what is missing: events that match a webhook by its present switches and never became a delivery of it,
 * because it was disabled, did not exist, or had other triggers when they happened.
 */
import { sql } from 'kysely'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { matchedEvent } from '#server/domain/match.ts'
import type { Step, WalkPlace } from '#server/store/bulk.ts'
import { dueAgain, lockLane } from '#server/store/lanes.ts'
import {
  type AccountMatching,
  createMatchingCache,
  firedBy,
  matchingOf,
} from '#server/store/matching.ts'
import { bodyIn, dayOf, readBodies } from '#server/store/partitions.ts'
import { inSnapshot } from '#server/store/snapshot.ts'
import type { Store } from '#server/store/store.ts'

export interface Replay {
  readonly webhookId: string
  readonly accountId: string
  /**
   * When it happened by the PBX's clock, or was accepted by ours, epoch milliseconds: clocks differ, and what a link
   * kept back comes late. `since` belongs to the period, `until` does not.
   */
  readonly since: number
  readonly until: number
  /** What the account's events are matched against: as it was when the replay began. */
  readonly matching: AccountMatching
}

/** Null: there is no such account. */
export async function beginReplay(
  store: Store,
  replay: Omit<Replay, 'matching'>,
): Promise<Replay | null> {
  const matching = await matchingOf(store.read, createMatchingCache(), replay.accountId)
  return matching === null ? null : { ...replay, matching }
}

interface EventRow {
  readonly seq: number
  readonly type: EventType
  readonly occurred_at: number
  readonly created_at: number
}

/** One step over the events of the account. `now` stamps the new deliveries; they wait behind what is live. */
export async function replayStep(
  store: Store,
  replay: Replay,
  { after, startedAt }: WalkPlace,
  limit: number,
  now: number,
): Promise<Step> {
  const from = after === 0 ? await beforeFirst(store, replay) : after
  const { rows, last } = await readWindow(store, replay.accountId, from, limit)
  const within = (at: number) => at >= replay.since && at < replay.until
  const candidates = rows.filter(
    (row) => (within(row.occurred_at) || within(row.created_at)) && row.created_at <= startedAt,
  )
  const missing = await findMissing(store, replay, candidates)
  const changed = missing.length === 0 ? 0 : await insertMissing(store, replay, missing, now)
  return { changed, next: last !== null && last.created_at <= startedAt ? last.seq : null }
}

/** Events that a step looks through, of all accounts: some milliseconds, however few of them are the account's. */
const windowSize = 2_000

/**
 * The account's next events, at most `limit`, and the last event that was looked at; null: none is left. By the numbers
 * alone: no index has those of one account in that order, and to sort its million would take a tenth of a second a step.
 */
async function readWindow(
  store: Store,
  accountId: string,
  from: number,
  limit: number,
): Promise<{
  readonly rows: readonly EventRow[]
  readonly last: Pick<EventRow, 'seq' | 'created_at'> | null
}> {
  const end = await store.read
    .selectFrom('event')
    .select(['seq', 'created_at'])
    .where('seq', '>', from)
    .orderBy('seq')
    .offset(windowSize - 1)
    .limit(1)
    .executeTakeFirst()
  const { rows } = await sql<EventRow>`
    select seq, type, occurred_at, created_at from event
    where (account_id || '') = ${accountId} and seq > ${from}
      and seq <= ${end?.seq ?? Number.MAX_SAFE_INTEGER}
    order by seq limit ${limit}`.execute(store.read)
  const full = rows.length === limit ? rows.at(-1) : undefined
  return { rows, last: full ?? end ?? null }
}

/** The number before the first event that happened or was accepted in the period. */
async function beforeFirst(store: Store, replay: Replay): Promise<number> {
  const [accepted, happened] = await Promise.all([
    beforeFirstAccepted(store, replay),
    firstHappened(store, replay),
  ])
  return happened === null ? accepted : Math.min(accepted, happened - 1)
}

/**
 * Of a PBX whose clock is ahead that is before the first one accepted in the period. Read from the index alone, some
 * 0.1 s for a million; added to zero, or else both databases walk up the numbers from the oldest event there is.
 */
async function firstHappened(
  store: Store,
  { accountId, since, until }: Replay,
): Promise<number | null> {
  const { rows } = await sql<{ first: number | null }>`
    select min(seq + 0) as first from event
    where account_id = ${accountId} and occurred_at >= ${since} and occurred_at < ${until}`.execute(
    store.read,
  )
  return rows[0]?.first ?? null
}

/** Clocks of nodes differ by less; see `domain/rate-limit.ts`. */
const clocksDifferMs = 10_000

/**
 * Events are numbered in the order of acceptance, whosever they are, so that halving finds it in some twenty looks among
 * millions. Of several nodes the order is as good as their clocks: so from a little earlier on.
 */
async function beforeFirstAccepted(store: Store, { since }: Replay): Promise<number> {
  const newest = await store.read
    .selectFrom('event')
    .select('seq')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  let low = 0
  let high = newest?.seq ?? 0
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const row = await store.read
      .selectFrom('event')
      .select('created_at')
      .where('seq', '>', middle)
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst()
    if (row === undefined || row.created_at >= since - clocksDifferMs) high = middle
    else low = middle + 1
  }
  return low
}

interface Missing {
  readonly event: number
  readonly day: number
  readonly call: string | null
}

/** Without those that have a delivery already; decided again where they are inserted. */
async function findMissing(
  store: Store,
  { webhookId, matching }: Replay,
  candidates: readonly EventRow[],
): Promise<readonly Missing[]> {
  const seqs = candidates
    .filter((row) => matching.byTrigger.get(row.type)?.some((w) => w.id === webhookId))
    .map(({ seq }) => ({ seq }))
  if (seqs.length === 0) return []
  return await inSnapshot(store, async (trx) => {
    const found = await sql<{ seq: number; created_at: number }>`
      select event.seq, event.created_at from event
      where event.seq in (
          select cast(r.value ->> 'seq' as bigint) from ${store.facts.rowsOf(JSON.stringify(seqs), 'r')})
        and not exists (select 1 from delivery as d
          where d.event_seq = event.seq and d.webhook_id = ${webhookId})
      order by event.seq`.execute(trx)
    const wanted = found.rows.map((row) => ({ seq: row.seq, day: dayOf(row.created_at) }))
    const bodies = await readBodies(trx, wanted)
    return wanted.flatMap(({ seq, day }) => {
      const event = JSON.parse(bodyIn(bodies, seq)) as Event
      const webhook = firedBy(matchedEvent(event), matching).find((w) => w.id === webhookId)
      if (webhook === undefined) return []
      const call = webhook.order !== 'none' && 'call' in event ? event.call.uuid : null
      return [{ event: seq, day, call }]
    })
  })
}

async function insertMissing(
  store: Store,
  { accountId, webhookId }: Replay,
  missing: readonly Missing[],
  now: number,
): Promise<number> {
  const made = await store.write.transaction().execute(async (trx) => {
    // Two replays at the same time: the second one finds what the first one made.
    await lockLane(trx, webhookId)
    // The events are locked: retention may be about to remove them.
    const rows = await sql<{ seq: number }>`
      insert into delivery
        (account_id, webhook_id, event_seq, event_day, call_uuid, state, turn, due_at, attempts,
         round_attempts, resends, origin, created_at)
      select ${accountId}, ${webhookId}, event.seq, cast(e.value ->> 'day' as integer), e.value ->> 'call',
        'pending', 1, ${now}, 0, 0, 0, 'replay', ${now}
      from ${store.facts.rowsOf(JSON.stringify(missing), 'e')}
      join event on event.seq = cast(e.value ->> 'event' as bigint)
      where not exists (select 1 from delivery as d
        where d.event_seq = event.seq and d.webhook_id = ${webhookId})
      order by event.seq ${store.facts.awaitRows('event')}
      returning seq`.execute(trx)
    await sql`update lane set next_due = ${dueAgain(now)} where webhook_id = ${webhookId}`.execute(
      trx,
    )
    return rows.rows.length
  })
  store.ringDue()
  return made
}
