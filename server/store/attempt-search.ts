import { type RawBuilder, sql } from 'kysely'
import type { Attempt, AttemptError } from '#contracts/delivery.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { attemptKey } from '#server/store/attempt-key.ts'
import { type AttemptRow, attemptOf } from '#server/store/attempts.ts'
import {
  type DeliveryFilter,
  type FoundDelivery,
  type StatusRange,
  walkDeliveries,
} from '#server/store/delivery-search.ts'
import type { Place } from '#server/store/page.ts'
import { bodyIn, partition, readBodies } from '#server/store/partitions.ts'
import { inSnapshot } from '#server/store/snapshot.ts'
import type { Db, Store } from '#server/store/store.ts'
import { type Walk, type Window, walkPage } from '#server/store/walk.ts'

/** Attempts of those deliveries; `status`, `error`, `ok` and the period are of the attempt itself. */
export interface AttemptFilter
  extends Omit<DeliveryFilter, 'status' | 'error' | 'tried' | 'triedSince'> {
  readonly status?: StatusRange | undefined
  readonly error?: AttemptError | undefined
  readonly ok?: boolean | undefined
}

/** Newest delivery first, and of a delivery its newest attempt: attempts are kept with their deliveries. */
export async function searchAttempts(
  store: Store,
  accountId: string,
  filter: AttemptFilter,
  page: PageRequest,
): Promise<Page<Attempt>> {
  const { name, walk } = walkAttempts(store, accountId, filter)
  const { items, next_cursor } = await walkPage(`attempts${name}`, walk, page)
  return { items: items.map((found) => found.attempt), next_cursor }
}

interface Found {
  readonly attempt: Attempt
  readonly place: Place
}

/** Deliveries looked at in one window. */
const deliveriesAtOnce = 100
/** Attempts read at a time: each may hold an answer of 64 KiB. */
const attemptsAtOnce = 50

/** A place is that of the delivery and the number of the attempt in it. */
function walkAttempts(store: Store, accountId: string, filter: AttemptFilter) {
  const { status, error, ok, since, ...ofDelivery } = filter
  const failed = ok === false || error !== undefined || (status !== undefined && status.from >= 300)
  const tried = failed ? 'in_vain' : 'at_all'
  const deliveries = walkDeliveries(store, accountId, { ...ofDelivery, tried, triedSince: since })

  const read = async (trx: Db, from: Place, limit: number): Promise<Window<Found>> => {
    const number = from.at(-1) ?? 0
    const place = from.slice(0, -1)
    const { rows, next } = await deliveries.readIn(trx, withItself(place), deliveriesAtOnce)
    const keys = rows.flatMap((delivery) =>
      keysOf(delivery, samePlace(deliveries.placeOf(delivery), place) ? number : null),
    )
    const found: Found[] = []
    for (let i = 0; i < keys.length && found.length < limit; i += attemptsAtOnce) {
      const some = await readAttempts(trx, keys.slice(i, i + attemptsAtOnce), filter)
      found.push(
        ...some.map(({ delivery, attempt }) => ({
          attempt,
          place: [...deliveries.placeOf(delivery), attempt.number],
        })),
      )
    }
    const last = rows.length === deliveriesAtOnce ? rows.at(-1) : undefined
    const after = last === undefined ? next : deliveries.placeOf(last)
    return { rows: found.slice(0, limit), next: after === null ? null : [...after, 0] }
  }

  const walk: Walk<Found> = {
    first: [...deliveries.first, 0],
    placeOf: (found) => found.place,
    read: async (from, limit) =>
      await inSnapshot(store, async (trx) => await read(trx, from, limit)),
  }
  return { name: deliveries.name, walk }
}

const samePlace = (a: Place, b: Place) => a.every((value, i) => value === b[i])

/** The place above it: what is at the place itself is read again, for its older attempts. */
function withItself(place: Place): Place {
  return place.with(-1, Math.min((place.at(-1) ?? 0) + 1, Number.MAX_SAFE_INTEGER))
}

interface Key {
  readonly delivery: FoundDelivery
  readonly key: number
}

/** The attempts of the delivery, newest first, those below `number`; null: all. */
function keysOf(delivery: FoundDelivery, number: number | null): readonly Key[] {
  const newest = Math.min(delivery.attempts, (number ?? delivery.attempts + 1) - 1)
  return Array.from({ length: Math.max(newest, 0) }, (_, i) => ({
    delivery,
    key: attemptKey(delivery.seq, newest - i),
  }))
}

/** What the filter says of the attempt itself. */
function conditionsOf({ status, error, ok, since, until }: AttemptFilter): RawBuilder<boolean> {
  const all = [sql<boolean>`true`]
  if (since !== undefined) all.push(sql`attempt.started_at >= ${since}`)
  if (until !== undefined) all.push(sql`attempt.started_at < ${until}`)
  if (ok !== undefined) all.push(sql`attempt.ok = ${ok ? 1 : 0}`)
  if (error !== undefined) all.push(sql`attempt.error = ${error}`)
  if (status !== undefined) {
    all.push(sql`attempt.status_code >= ${status.from} and attempt.status_code <= ${status.to}`)
  }
  return sql`${sql.join(all, sql` and `)}`
}

/** In the order of the keys, without those that the filter leaves out. */
async function readAttempts(db: Db, keys: readonly Key[], filter: AttemptFilter) {
  const rows = new Map<number, AttemptRow>()
  for (const [day, ofDay] of Map.groupBy(keys, ({ delivery }) => delivery.event_day)) {
    const found = await db
      .selectFrom(partition('attempt', day))
      .selectAll('attempt')
      .where(
        'attempt.seq',
        'in',
        ofDay.map(({ key }) => key),
      )
      .where(conditionsOf(filter))
      .execute()
    for (const row of found) rows.set(row.seq, row)
  }
  const found = keys.flatMap(({ delivery, key }) => {
    const row = rows.get(key)
    return row === undefined ? [] : [{ delivery, row }]
  })
  const events = found.map(({ delivery }) => ({ seq: delivery.event_seq, day: delivery.event_day }))
  const bodies = await readBodies(db, events)
  return found.map(({ delivery, row }) => ({
    delivery,
    attempt: attemptOf(row, delivery, bodyIn(bodies, delivery.event_seq)),
  }))
}
