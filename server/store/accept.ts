import { sql } from 'kysely'
import type { Event } from '#contracts/events/catalogue.ts'
import { nativeBody } from '#server/domain/native-body.ts'
import type { Batch } from '#server/store/batch.ts'
import { callsBegunBy, insertCallNumbers, type NewCall } from '#server/store/call-numbers.ts'
import { lockLanes } from '#server/store/lanes.ts'
import { firedBy, matchingOf, type StoredMatching } from '#server/store/matching.ts'
import { type Fence, holdFences } from '#server/store/ownerships.ts'
import { dayOf, makePartitions, partitionName } from '#server/store/partitions.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

/** What one caller wants committed: all of it or nothing. */
export interface Acceptance {
  readonly accountId: string
  /** The PBX that the events come from; null: events of the account, with neither open calls nor cursor. */
  readonly serviceUuid: string | null
  readonly events: readonly Event[]
  readonly openCalls: {
    readonly put: readonly { readonly key: string; readonly json: string }[]
    readonly delete: readonly string[]
  } | null
  /** JSON text: how far the PBX's record has been read; null: stays as it is. */
  readonly cursor: string | null
  /** Proof that the PBX is captured by this process; absent: by nobody else in any case. */
  readonly fence?: Fence
  /** Epoch milliseconds. */
  readonly now: number
}

export interface Accepted {
  /** Events that were new. */
  readonly events: number
  /** Events whose ids were there already: read again after a crash, and harmless. */
  readonly duplicates: number
  /** Deliveries made of the new events. */
  readonly deliveries: number
}

/**
 * Commits events, their deliveries, open calls and cursor in ONE durable transaction, shared with whoever else
 * accepts at the moment. Throws StoreError `service_gone` when the service or account has been deleted,
 * `capture_taken_over` when the PBX has another owner, `storage_full` and the like when nothing could be written.
 */
export async function acceptEvents(store: Store, acceptance: Acceptance): Promise<Accepted> {
  return await store.accepting.add(acceptance)
}

export async function acceptTogether(
  store: Pick<Store, 'transact' | 'ringDue'>,
  acceptances: readonly Acceptance[],
): Promise<readonly Accepted[]> {
  const accepted = await store.transact('accept', 'durable', acceptances)
  if (accepted.some((a) => a.deliveries > 0)) store.ringDue()
  return accepted
}

interface NewBody {
  readonly event: number
  readonly day: number
  readonly body: string
}

interface NewDelivery {
  readonly account: string
  readonly webhook: string
  readonly event: number
  readonly day: number
  readonly call: string | null
  readonly due: number
  readonly now: number
}

/** The transaction of `acceptEvents`; also a part of others. */
export async function acceptInto(
  trx: Trx,
  context: ProcedureContext,
  acceptances: readonly Acceptance[],
): Promise<readonly Accepted[]> {
  const fired = await fireAll(trx, context, acceptances)
  await holdFences(trx, context.facts, acceptances)
  const numbers = await insertEvents(trx, context, acceptances)
  const deliveries: NewDelivery[] = []
  const bodies: NewBody[] = []
  const calls: NewCall[] = []
  const accepted = acceptances.map(({ accountId, events, now }, i) => {
    const day = dayOf(now)
    const before = { events: bodies.length, deliveries: deliveries.length }
    events.forEach((event, j) => {
      const number = numbers.get(event.id)
      if (number === undefined) return
      // The same event twice among these: the first one made it.
      numbers.delete(event.id)
      bodies.push({ event: number, day, body: nativeBody(event) })
      const call = 'call' in event ? event.call.uuid : null
      calls.push(...callsBegunBy(event, { accountId, day, seq: number }))
      for (const webhook of fired[i]?.[j] ?? []) {
        deliveries.push({
          account: accountId,
          webhook: webhook.id,
          event: number,
          day,
          call: webhook.ordered ? call : null,
          due: now + webhook.delayMs,
          now,
        })
      }
    })
    const fresh = bodies.length - before.events
    return {
      events: fresh,
      duplicates: events.length - fresh,
      deliveries: deliveries.length - before.deliveries,
    }
  })
  if (bodies.length > 0) await insertBodies(trx, context, bodies)
  await insertCallNumbers(trx, context, calls)
  if (deliveries.length > 0) await insertDeliveries(trx, context, deliveries)
  await storeCaptures(trx, context, acceptances)
  return accepted
}

/** For each acceptance, for each of its events: the webhooks that it fires. */
async function fireAll(
  trx: Trx,
  { matching: cache }: ProcedureContext,
  acceptances: readonly Acceptance[],
): Promise<readonly (readonly (readonly StoredMatching[])[])[]> {
  const fired: (readonly StoredMatching[])[][] = []
  for (const { accountId, serviceUuid, events } of acceptances) {
    const matching = await matchingOf(trx, cache, accountId)
    if (matching === null || (serviceUuid !== null && !matching.services.has(serviceUuid))) {
      throw new StoreError('service_gone', `The service ${serviceUuid ?? accountId} was deleted.`)
    }
    fired.push(events.map((event) => firedBy(event, matching)))
  }
  return fired
}

const insertEvent: Batch = {
  columns: {
    id: 'text',
    account: 'text',
    service: 'text',
    type: 'text',
    call: 'text',
    occurred: 'bigint',
    now: 'bigint',
  },
  statement: (of, from) => `
    insert into event (id, account_id, service_uuid, type, call_uuid, occurred_at, created_at)
    select ${of('id')}, ${of('account')}, ${of('service')}, ${of('type')}, ${of('call')},
      ${of('occurred')}, ${of('now')}
    ${from} where true
    on conflict (id) do nothing
    returning seq, id`,
}

/** Inserts those that are new and returns their numbers by event id. */
async function insertEvents(
  trx: Trx,
  { batch }: ProcedureContext,
  acceptances: readonly Acceptance[],
): Promise<Map<string, number>> {
  const rows = acceptances.flatMap(({ accountId, events, now }) =>
    events.map((event) => [
      event.id,
      accountId,
      event.service?.uuid ?? null,
      event.type,
      'call' in event ? event.call.uuid : null,
      Date.parse(event.occurred_at),
      now,
    ]),
  )
  if (rows.length === 0) return new Map()
  const inserted = await batch<{ seq: number; id: string }>(trx, insertEvent, rows)
  return new Map(inserted.map((row) => [row.id, row.seq]))
}

const insertBody = (day: number): Batch => ({
  columns: { event: 'bigint', body: 'text' },
  statement: (of, from) => `
    insert into ${partitionName('event_body', day)} (event_seq, body)
    select ${of('event')}, ${of('body')} ${from}`,
})

async function insertBodies(
  trx: Trx,
  { facts, days, batch }: ProcedureContext,
  bodies: readonly NewBody[],
): Promise<void> {
  for (const [day, ofDay] of Map.groupBy(bodies, (body) => body.day)) {
    if (!days.has(day)) {
      await makePartitions(trx, facts, day)
      days.add(day)
    }
    const rows = ofDay.map(({ event, body }) => [event, body])
    await batch(trx, insertBody(day), rows)
  }
}

const insertDelivery: Batch = {
  columns: {
    account: 'text',
    webhook: 'text',
    event: 'bigint',
    day: 'integer',
    call: 'text',
    due: 'bigint',
    now: 'bigint',
  },
  statement: (of, from) => `
    insert into delivery
      (account_id, webhook_id, event_seq, event_day, call_uuid, state, turn, due_at, attempts,
       created_at)
    select ${of('account')}, ${of('webhook')}, ${of('event')}, ${of('day')}, ${of('call')},
      'pending', 0, ${of('due')}, 0, ${of('now')}
    ${from}`,
}

/** In the order of the events: `delivery.seq` is what the order within a call goes by. */
async function insertDeliveries(
  trx: Trx,
  { facts, batch }: ProcedureContext,
  deliveries: readonly NewDelivery[],
): Promise<void> {
  const rows = deliveries.map((d) => [d.account, d.webhook, d.event, d.day, d.call, d.due, d.now])
  await batch(trx, insertDelivery, rows)

  const due = new Map<string, number>()
  for (const d of deliveries) due.set(d.webhook, Math.min(d.due, due.get(d.webhook) ?? d.due))
  // In one order everywhere, so that two nodes never wait for each other's lanes.
  const lanes = [...due].sort().map(([webhook, at]) => ({ webhook, due: at }))
  await lockLanes(
    trx,
    facts,
    lanes.map(({ webhook }) => webhook),
  )
  // An open breaker: not before its pause is over, or the claim would look at the lane again and again.
  await sql`
    update lane set next_due = case when lane.breaker = 'open' and lane.breaker_until > e.due
      then lane.breaker_until else e.due end
    from (
      select r.value ->> 'webhook' as webhook, cast(r.value ->> 'due' as bigint) as due
      from ${facts.rowsOf(JSON.stringify(lanes), 'r')}
    ) as e
    where lane.webhook_id = e.webhook and lane.held = 0
      and (lane.next_due is null or lane.next_due > e.due)`.execute(trx)
}

async function storeCaptures(
  trx: Trx,
  { facts }: ProcedureContext,
  acceptances: readonly Acceptance[],
): Promise<void> {
  const gone: object[] = []
  const put: object[] = []
  const cursors: object[] = []
  for (const { serviceUuid: service, openCalls, cursor, now } of acceptances) {
    if (service === null) continue
    for (const key of openCalls?.delete ?? []) gone.push({ service, key })
    for (const { key, json } of openCalls?.put ?? []) put.push({ service, key, json })
    if (cursor !== null) cursors.push({ service, cursor, now })
  }
  if (gone.length > 0) {
    await sql`
      delete from open_call where (service_uuid, key) in (
        select e.value ->> 'service', e.value ->> 'key'
        from ${facts.rowsOf(JSON.stringify(gone), 'e')}
      )`.execute(trx)
  }
  if (put.length > 0) {
    await sql`
      insert into open_call (service_uuid, key, state)
      select e.value ->> 'service', e.value ->> 'key', e.value ->> 'json'
      from ${facts.rowsOf(JSON.stringify(put), 'e')}
      where true
      on conflict (service_uuid, key) do update set state = excluded.state`.execute(trx)
  }
  if (cursors.length > 0) {
    await sql`
      insert into capture (service_uuid, cursor, updated_at)
      select e.value ->> 'service', e.value ->> 'cursor', cast(e.value ->> 'now' as bigint)
      from ${facts.rowsOf(JSON.stringify(cursors), 'e')}
      where true
      on conflict (service_uuid) do update
        set cursor = excluded.cursor, updated_at = excluded.updated_at`.execute(trx)
  }
}
