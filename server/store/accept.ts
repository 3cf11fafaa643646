import { sql } from 'kysely'
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { numberKeysOf } from '#server/domain/events/number-keys.ts'
import { isPickUp, type MatchedEvent } from '#server/domain/match.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import type { Insert } from '#server/store/batch.ts'
import { insertCallNumbers, type NewCall } from '#server/store/call-numbers.ts'
import { lockLanes } from '#server/store/lanes.ts'
import { firedBy, matchingOf, type StoredMatching } from '#server/store/matching.ts'
import { insertDeliveries, type NewDelivery, nothingLeased } from '#server/store/new-deliveries.ts'
import { type Fence, holdFences } from '#server/store/ownerships.ts'
import { dayOf, makePartitions, partitionName } from '#server/store/partitions.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'
import { together } from '#server/store/together.ts'

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

/** An event as it is stored, and what decides whom it fires: all that the thread of the database needs of it. */
export interface NewEvent {
  readonly id: string
  readonly type: EventType
  readonly serviceUuid: string | null
  readonly callUuid: string | null
  /** Epoch milliseconds. */
  readonly occurredAt: number
  /** The Webhook object of the call flow that it speaks of. */
  readonly component: string | null
  /** The webhook that it speaks of. */
  readonly aboutWebhook: string | null
  readonly pickedUp: boolean
  /** The keys of the call's numbers, where it is the call's first event. */
  readonly beginsCall: readonly string[] | null
  readonly body: string
}

export interface NewAcceptance extends Omit<Acceptance, 'events'> {
  readonly events: readonly NewEvent[]
}

/** Flat, so that it costs little to send to another thread. */
export function newAcceptance({ events, ...rest }: Acceptance): NewAcceptance {
  return { ...rest, events: events.map(newEvent) }
}

export function newEvent(event: Event): NewEvent {
  return {
    id: event.id,
    type: event.type,
    serviceUuid: event.service?.uuid ?? null,
    callUuid: 'call' in event ? event.call.uuid : null,
    occurredAt: Date.parse(event.occurred_at),
    component: 'component' in event ? event.component.name : null,
    aboutWebhook: 'webhook' in event ? event.webhook.id : null,
    pickedUp: isPickUp(event),
    beginsCall: 'call' in event && event.sequence === 1 ? numberKeysOf(event.call) : null,
    body: nativeBody(event),
  }
}

/**
 * Commits events, their deliveries, open calls and cursor in ONE transaction, shared with whoever else
 * accepts at the moment; returns when it is on the disk. Requests may leave before. Throws StoreError `service_gone` when the service or account has been deleted,
 * `capture_taken_over` when the PBX has another owner, `storage_full` and the like when nothing could be written.
 */
export async function acceptEvents(store: Store, acceptance: Acceptance): Promise<Accepted> {
  const accepted = await acceptSoon(store, acceptance)
  await store.onDisk()
  return accepted
}

/**
 * The same, returning when it survives a kill of the process; `store.onDisk` waits for the disk. For what can be read
 * again where a power cut takes it, and gives the same events then.
 */
export async function acceptSoon(store: Store, acceptance: Acceptance): Promise<Accepted> {
  return await store.accepting.add(newAcceptance(acceptance))
}

interface NewBody {
  readonly event: number
  readonly day: number
  readonly body: string
}

/** A part of another transaction; its deliveries wait to be claimed. */
export async function acceptInto(
  trx: Trx,
  context: ProcedureContext,
  accepts: readonly NewAcceptance[],
): Promise<readonly Accepted[]> {
  const fired = await fireAll(trx, context, accepts)
  const [, , numbers] = await together(
    holdFences(trx, context.facts, accepts),
    lockLanes(trx, context.facts, lanesOf(fired)),
    insertEvents(trx, context, accepts),
  )
  const made = rowsOf(accepts, fired, numbers)
  await together(
    insertParts(trx, context, made),
    insertDeliveries(trx, context, nothingLeased(made.deliveries)),
    storeCaptures(trx, context, accepts),
  )
  return made.accepted
}

/** What new events bring into the tables beside themselves. */
export interface NewRows {
  /** In the order of the acceptances. */
  readonly accepted: readonly Accepted[]
  readonly bodies: readonly NewBody[]
  readonly calls: readonly NewCall[]
  readonly deliveries: readonly NewDelivery[]
}

/** `numbers`: those of the events in their order; null: it is not new. */
export function rowsOf(
  acceptances: readonly NewAcceptance[],
  fired: Fired,
  numbers: readonly (number | null)[],
): NewRows {
  const next = numbers.values()
  const deliveries: NewDelivery[] = []
  const bodies: NewBody[] = []
  const calls: NewCall[] = []
  const accepted = acceptances.map(({ accountId, events, now }, i) => {
    const day = dayOf(now)
    const before = { events: bodies.length, deliveries: deliveries.length }
    events.forEach((event, j) => {
      const number = next.next().value ?? null
      if (number === null) return
      bodies.push({ event: number, day, body: event.body })
      if (event.beginsCall !== null) {
        calls.push({ accountId, day, firstEvent: number, keys: event.beginsCall })
      }
      for (const webhook of fired[i]?.[j] ?? []) {
        const call = webhook.order === 'none' ? null : event.callUuid
        deliveries.push({ accountId, webhook, event: number, day, call, now, from: [i, j] })
      }
    })
    const fresh = bodies.length - before.events
    return {
      events: fresh,
      duplicates: events.length - fresh,
      deliveries: deliveries.length - before.deliveries,
    }
  })
  return { accepted, bodies, calls, deliveries }
}

/** Bodies, and what calls are found by; the day's tables before either. */
export async function insertParts(
  trx: Trx,
  context: ProcedureContext,
  { bodies, calls }: NewRows,
): Promise<void> {
  for (const day of new Set(bodies.map((body) => body.day))) {
    if (context.days.has(day)) continue
    await makePartitions(trx, context.facts, day)
    context.days.add(day)
  }
  await together(insertBodies(trx, context, bodies), insertCallNumbers(trx, context, calls))
}

/** For each acceptance, for each of its events: the webhooks that it fires. */
export type Fired = readonly (readonly (readonly StoredMatching[])[])[]

/** The ids of the webhooks that are fired. */
export function lanesOf(fired: Fired): readonly string[] {
  return fired.flatMap((events) => events.flatMap((webhooks) => webhooks.map(({ id }) => id)))
}

/**
 * The lanes that the events will go to, unless their webhooks have changed since this process last looked: so that the
 * lanes are locked without waiting for that look. Nothing where nobody else locks any.
 */
export function likelyLanes(
  { facts, matching: { accounts } }: ProcedureContext,
  acceptances: readonly NewAcceptance[],
): readonly string[] {
  if (facts.singleProcess) return []
  const lanes = new Set<string>()
  for (const { accountId, serviceUuid, events } of acceptances) {
    const byTrigger = accounts.get(accountId)?.byTrigger
    for (const type of new Set(events.map((event) => event.type))) {
      for (const webhook of byTrigger?.get(type) ?? []) {
        const its = webhook.serviceUuid === null || webhook.serviceUuid === serviceUuid
        if (its && webhook.enabled) lanes.add(webhook.id)
      }
    }
  }
  return [...lanes]
}

/** Throws StoreError `service_gone`. */
export async function fireAll(
  trx: Trx,
  { matching: cache }: ProcedureContext,
  acceptances: readonly NewAcceptance[],
): Promise<Fired> {
  const accounts = [...new Set(acceptances.map(({ accountId }) => accountId))]
  const known = await together(...accounts.map((id) => matchingOf(trx, cache, id)))
  const fired: (readonly StoredMatching[])[][] = []
  for (const { accountId, serviceUuid, events } of acceptances) {
    const matching = known[accounts.indexOf(accountId)] ?? null
    if (matching === null || (serviceUuid !== null && !matching.services.has(serviceUuid))) {
      throw new StoreError('service_gone', `The service ${serviceUuid ?? accountId} was deleted.`)
    }
    fired.push(events.map((event) => firedBy(matched(event), matching)))
  }
  return fired
}

function matched(event: NewEvent): MatchedEvent {
  const { type, serviceUuid, component, aboutWebhook, pickedUp, body } = event
  let parsed: Event | null = null
  return {
    type,
    service: serviceUuid === null ? null : { uuid: serviceUuid },
    ...(aboutWebhook !== null && { webhook: { id: aboutWebhook } }),
    ...(component !== null && { component: { name: component } }),
    pickedUp,
    // Once, and not at all where no webhook has filters: parsing costs more than all the rest of the match.
    whole() {
      parsed ??= JSON.parse(body) as Event
      return parsed
    },
  }
}

const insertEvent: Insert = {
  into: 'event',
  columns: {
    id: 'text',
    account_id: 'text',
    service_uuid: 'text',
    type: 'text',
    call_uuid: 'text',
    occurred_at: 'bigint',
    created_at: 'bigint',
  },
  unlessThere: 'id',
  numberedBy: ['id'],
}

/** Inserts those that are new; the number of each, in the order of the acceptances, null: it was there. */
export async function insertEvents(
  trx: Trx,
  { batch }: ProcedureContext,
  acceptances: readonly NewAcceptance[],
): Promise<readonly (number | null)[]> {
  const rows = acceptances.flatMap(({ accountId, events, now }) =>
    events.map((event) => [
      event.id,
      accountId,
      event.serviceUuid,
      event.type,
      event.callUuid,
      event.occurredAt,
      now,
    ]),
  )
  return rows.length === 0 ? [] : await batch.insert(trx, insertEvent, rows)
}

const insertBody = (day: number): Insert => ({
  into: partitionName('event_body', day),
  columns: { event_seq: 'bigint', body: 'text' },
})

async function insertBodies(
  trx: Trx,
  { batch }: ProcedureContext,
  bodies: readonly NewBody[],
): Promise<void> {
  for (const [day, ofDay] of Map.groupBy(bodies, (body) => body.day)) {
    const rows = ofDay.map(({ event, body }) => [event, body])
    await batch.insert(trx, insertBody(day), rows)
  }
}

export async function storeCaptures(
  trx: Trx,
  { facts }: ProcedureContext,
  acceptances: readonly NewAcceptance[],
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
