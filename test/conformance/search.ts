import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Attempt, type Delivery, DeliveryState } from '#contracts/delivery.ts'
import type { Event, EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { searchAttempts } from '#server/store/attempt-search.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { cancelDelivery } from '#server/store/cancel.ts'
import type { Lease } from '#server/store/claim.ts'
import { type DeliveryFilter, listDeliveries } from '#server/store/delivery-search.ts'
import { type EventFilter, listEvents } from '#server/store/events.ts'
import type { Store } from '#server/store/store.ts'
import {
  acceptanceOf,
  callEvent,
  claim,
  failUntil,
  giveUp,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

const day = 86_400_000
const caller = '+61298765432'
const office = '+61299990000'

interface Ends {
  readonly from?: string
  readonly to?: string
  /** Epoch milliseconds. */
  readonly at?: number
}

/** An event of the call with that name, between those two numbers; `call.ended` after the first. */
function eventOf(tenant: Tenant, name: string, sequence: number, ends: Ends = {}): Event {
  const { from = caller, to = office, at = sequence * 1_000 } = ends
  const event = callEvent(tenant, name, sequence) as EventOf<'call.inbound.received'>
  const { call } = event
  return {
    ...event,
    ...(sequence > 1 && { type: eventSamples['call.ended'].type }),
    occurred_at: new Date(at).toISOString(),
    call: {
      ...call,
      source: { ...call.source, number: from, raw: from },
      destination: { ...call.destination, number: to, raw: to },
    },
  } as Event
}

/** All items of a list, read in pages of that size. */
async function readAll<T>(
  limit: number,
  list: (page: PageRequest) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit, cursor })
    expect(page.items.length).toBeLessThanOrEqual(limit)
    items.push(...page.items)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  return items
}

export function runSearchConformance(open: OpenTestStore): void {
  runEventSearch(open)
  runDeliverySearch(open)
}

function runEventSearch(open: OpenTestStore): void {
  describe('search of events', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const accept = async (events: readonly Event[], now: number, whose = tenant) =>
      void (await acceptEvents(store, acceptanceOf(whose, events, { now })))
    const find = async (filter: EventFilter, limit = 3, whose = tenant) => {
      const list = (page: PageRequest) => listEvents(store, whose.account.id, filter, page)
      return (await readAll(limit, list)).map((event) => event.id)
    }
    const ids = (events: readonly Event[]) => events.map((event) => event.id)

    test('a number finds every event of its calls, newest call first, over days', async () => {
      const [old, middle, young] = ['old', 'middle', 'young'].map((name) => [
        eventOf(tenant, name, 1),
        eventOf(tenant, name, 2),
      ]) as [[Event, Event], [Event, Event], [Event, Event]]
      const other = eventOf(tenant, 'other', 1, { from: '+61211111111', to: '202' })
      await accept([old[0], other], 1_000)
      // The call goes on over midnight.
      await accept([old[1], middle[0], middle[1]], day + 1_000)
      await accept([young[0]], 2 * day)
      await accept([young[1]], 2 * day + 1)
      const expected = ids([...young.toReversed(), ...middle.toReversed(), ...old.toReversed()])
      for (const limit of [1, 2, 3, 100]) {
        expect(await find({ numberKeys: [caller] }, limit)).toEqual(expected)
      }
      expect(await find({ numberKeys: ['202'] })).toEqual([other.id])
      expect(await find({ numberKeys: ['0299990000', '202', office] })).toHaveLength(7)
      expect(await find({ numberKeys: ['9876'] })).toEqual([])
      expect(await find({ numberKeys: [caller], type: 'call.ended' })).toEqual(
        ids([young[1], middle[1], old[1]]),
      )
      const callUuid = 'call' in middle[0] ? middle[0].call.uuid : ''
      expect(await find({ numberKeys: [caller], callUuid })).toEqual(ids(middle.toReversed()))
      expect(await find({ numberKeys: [caller], since: 2_000 })).toHaveLength(3)
    })

    test('a call between two of the numbers is found once', async () => {
      const event = eventOf(tenant, 'a', 1)
      await accept([event], 1_000)
      expect(await find({ numberKeys: [caller, office] })).toEqual([event.id])
    })

    test('a number of many calls is found page by page, each event once', async () => {
      const events = Array.from({ length: 700 }, (_, i) => eventOf(tenant, `call ${i}`, 1))
      await accept(events, 1_000)
      const found = await find({ numberKeys: [office] }, 99)
      expect(found).toEqual(ids(events).toReversed())
    })

    test('what others did with the number does not exist', async () => {
      const other = await makeTenant(store)
      await accept([eventOf(other, 'a', 1)], 1_000, other)
      expect(await find({ numberKeys: [caller] })).toEqual([])
      expect(await find({ numberKeys: [caller] }, 3, other)).toHaveLength(1)
    })

    test('lists go by when things happened, and a rare kind is found among many', async () => {
      // More than are looked at in one window, and accepted in another order than they happened.
      const many = Array.from({ length: 5_000 }, (_, i) =>
        eventOf(tenant, `call ${i}`, i % 1_250 === 7 ? 2 : 1, { at: 10_000_000 - i * 1_000 }),
      )
      await accept(many, 1_000)
      const rare = many.filter((event) => event.type === 'call.ended')
      expect(rare).toHaveLength(4)
      expect(await find({ type: 'call.ended' })).toEqual(ids(rare))
      expect(await find({ type: 'call.ended', until: 10_000_000 - 2_000_000 })).toEqual(
        ids(rare.slice(2)),
      )
      const period = { since: 10_000_000 - 1_999_000, until: 10_000_000 - 1_989_000 }
      expect(await find(period)).toEqual(ids(many.slice(1_990, 2_000)))
      expect(await find({ ...period, serviceUuid: tenant.serviceUuid }, 4)).toHaveLength(10)
      expect(await find({ type: 'voicemail.left' })).toEqual([])
    })

    test('a cursor of one order is none of the other', async () => {
      await accept([eventOf(tenant, 'a', 1), eventOf(tenant, 'b', 1)], 1_000)
      const { id } = tenant.account
      const { next_cursor } = await listEvents(store, id, {}, { limit: 1 })
      await expect(
        listEvents(
          store,
          id,
          { numberKeys: [caller] },
          { limit: 1, cursor: next_cursor ?? undefined },
        ),
      ).rejects.toMatchObject({ code: 'invalid_cursor' })
    })
  })
}

/** Thirty calls of two events each, two webhooks, every kind of end; attempts of a day after their event too. */
async function makeHistory(store: Store, tenant: Tenant): Promise<void> {
  const settings = { order: 'none', concurrency: 100 } as const
  const both = await makeWebhook(store, tenant, settings)
  await makeWebhook(store, tenant, { ...settings, triggers: ['call.ended'] })
  for (let i = 0; i < 30; i += 1) {
    const ends = { from: i % 3 === 0 ? caller : `+6121111${1_000 + i}` }
    const events = [eventOf(tenant, `call ${i}`, 1, ends), eventOf(tenant, `call ${i}`, 2, ends)]
    const now = i < 15 ? 1_000 + i : day + i
    await acceptEvents(store, acceptanceOf(tenant, events, { now }))
  }
  const first = await claim(store, day + 100, 200)
  await endInTurn(first.leases, [
    (lease) => giveUp(store, lease, null, day + 100),
    (lease) => failUntil(store, lease, day + 200, day + 100),
    (lease) => succeed(store, lease, day + 100),
    null,
  ])
  const second = await claim(store, day + 200, 200)
  await endInTurn(second.leases, [
    (lease) => failUntil(store, lease, 3 * day, 2 * day),
    (lease) => succeed(store, lease, 2 * day),
  ])
  const { id } = tenant.account
  const waiting = await listDeliveries(store, id, { state: 'pending', webhookId: both.id }, one)
  await cancelDelivery(store, id, waiting.items[0]?.id ?? '', 2 * day)
}

const one = { limit: 1 }

/** The first lease ends the first way, the second the second, and so on round; null: it does not end. */
async function endInTurn(
  leases: readonly Lease[],
  ways: readonly (((lease: Lease) => Promise<boolean>) | null)[],
): Promise<void> {
  for (const [i, lease] of leases.entries()) await ways[i % ways.length]?.(lease)
}

function runDeliverySearch(open: OpenTestStore): void {
  describe('search of deliveries and attempts', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    let deliveries: readonly Delivery[]
    let attempts: readonly Attempt[]
    let callers: ReadonlySet<string>
    beforeAll(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
      await makeHistory(store, await makeTenant(store))
      await makeHistory(store, tenant)
      const { id } = tenant.account
      deliveries = await readAll(100, (page) => listDeliveries(store, id, {}, page))
      const lists = deliveries.map((d) =>
        readAll(100, async (page) => {
          const found = await listAttempts(store, id, d.id, page)
          if (found === null) throw new Error('a delivery of the list is not there')
          return found
        }),
      )
      attempts = (await Promise.all(lists)).flat()
      const events = await readAll(100, (page) =>
        listEvents(store, id, { numberKeys: [caller] }, page),
      )
      callers = new Set(events.map((event) => ('call' in event ? event.call.uuid : '')))
    })
    afterAll(async () => await opened[Symbol.asyncDispose]())

    /** What each filter means, said once more. */
    const ofDelivery = (d: Delivery, f: DeliveryFilter): boolean =>
      (f.webhookId === undefined || d.webhook_id === f.webhookId) &&
      (f.state === undefined || d.state === f.state) &&
      (f.eventType === undefined || d.event_type === f.eventType) &&
      (f.eventId === undefined || d.event_id === f.eventId) &&
      (f.serviceUuid === undefined || f.serviceUuid === tenant.serviceUuid) &&
      (f.callUuid === undefined || d.call_uuid === f.callUuid) &&
      (f.numberKeys === undefined || callers.has(d.call_uuid ?? '')) &&
      (f.since === undefined || Date.parse(d.created_at) >= f.since) &&
      (f.until === undefined || Date.parse(d.created_at) < f.until)
    const ofOutcome = (
      f: Pick<DeliveryFilter, 'status' | 'error'>,
      status: number | null,
      error: string | null,
    ): boolean =>
      (f.status === undefined || (status ?? 0) >= f.status.from) &&
      (f.status === undefined || (status ?? 1_000) <= f.status.to) &&
      (f.error === undefined || error === f.error)

    const filters = (): readonly DeliveryFilter[] => {
      const [one, two] = [...new Set(deliveries.map((d) => d.webhook_id))]
      const some = deliveries.find((d) => callers.has(d.call_uuid ?? ''))
      const states = DeliveryState.options.map((state) => ({ state }))
      const period = { since: 1_005, until: day + 20 }
      const basic: DeliveryFilter[] = [
        {},
        { webhookId: one },
        { webhookId: two },
        ...states,
        { eventType: 'call.ended' },
        { eventId: some?.event_id },
        { callUuid: some?.call_uuid ?? undefined },
        { serviceUuid: tenant.serviceUuid },
        { serviceUuid: '6a1f8f0e-0f52-4b0e-9df0-0f4f6a1b2c3d' },
        { numberKeys: [caller] },
        { error: 'status' },
        { error: 'dns' },
        { status: { from: 200, to: 299 } },
        { status: { from: 500, to: 500 } },
      ]
      return [
        ...basic,
        ...basic.map((f) => ({ ...f, ...period })),
        ...basic.map((f) => ({ webhookId: one, state: 'exhausted' as const, ...f })),
        ...basic.map((f) => ({ eventType: 'call.ended' as const, webhookId: two, ...f })),
        ...basic.map((f) => ({ numberKeys: [caller], ...f })),
        { webhookId: 'wh_0' },
      ]
    }

    /** Around the times at which deliveries were made and attempts began. */
    const periods = (): readonly DeliveryFilter[] => {
      const times = [0, 1_000, day, day + 101, day + 600_000, 2 * day, 2 * day + 1]
      const all = times.flatMap((since) =>
        times.filter((until) => until > since).map((until) => ({ since, until })),
      )
      const [webhookId] = deliveries.map((d) => d.webhook_id)
      const state = 'exhausted' as const
      const more = [
        { webhookId },
        { numberKeys: [caller] },
        { state },
        { eventType: 'call.ended' as const },
      ]
      return [
        ...all,
        ...times.map((since) => ({ since })),
        ...all.flatMap((p) => more.map((m) => ({ ...p, ...m }))),
      ]
    }

    test('the history has something of everything', () => {
      const states = new Set(deliveries.map((d) => d.state))
      expect([...states].toSorted()).toEqual([
        'cancelled',
        'delivered',
        'exhausted',
        'leased',
        'pending',
      ])
      expect(attempts.length).toBeGreaterThan(deliveries.length)
      expect(callers.size).toBe(10)
    })

    test('deliveries: each filter finds what it says, in every size of page', async () => {
      for (const filter of filters()) {
        const expected = deliveries.filter(
          (d) => ofDelivery(d, filter) && ofOutcome(filter, d.last_status_code, d.last_error),
        )
        for (const limit of [7, 100]) {
          const found = await readAll(limit, (page) =>
            listDeliveries(store, tenant.account.id, filter, page),
          )
          // A search by number has the calls in their order, which here is that of the deliveries.
          expect({ filter, ids: found.map((d) => d.id) }).toEqual({
            filter,
            ids: expected.map((d) => d.id),
          })
        }
      }
    })

    test('attempts: each filter finds what it says, in every size of page', async () => {
      const owners = new Map(deliveries.map((d) => [d.id, d]))
      for (const ok of [undefined, true, false]) {
        for (const { tried: _, ...filter } of [...filters(), ...periods()]) {
          const { since = 0, until = Number.POSITIVE_INFINITY, ...rest } = filter
          const expected = attempts.filter((a) => {
            const delivery = owners.get(a.delivery_id)
            const at = Date.parse(a.started_at)
            return (
              delivery !== undefined &&
              ofDelivery(delivery, rest) &&
              at >= since &&
              at < until &&
              ofOutcome(filter, a.status_code, a.error) &&
              (ok === undefined || a.ok === ok)
            )
          })
          const found = await readAll(13, (page) =>
            searchAttempts(store, tenant.account.id, { ...filter, ok }, page),
          )
          expect({ filter, ids: found.map((a) => a.id) }).toEqual({
            filter,
            ids: expected.map((a) => a.id),
          })
        }
      }
      const [whole] = (await searchAttempts(store, tenant.account.id, {}, { limit: 1 })).items
      expect(whole).toEqual(attempts[0])
    })
  })
}
