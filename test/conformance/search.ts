import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Event, EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { type EventFilter, listEvents } from '#server/store/events.ts'
import type { Store } from '#server/store/store.ts'
import { acceptanceOf, callEvent, makeTenant, type Tenant } from '#test/conformance/fixture.ts'
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
