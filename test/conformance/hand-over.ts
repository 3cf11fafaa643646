/** What is leased in the transaction that accepts it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimDue, type Lease } from '#server/store/claim.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { reapAtStart, returnLeases } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import { setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  eventIdsOf,
  failUntil,
  giveUp,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

const longerThanLeases = 3_600_000

export function runHandOverConformance(open: OpenTestStore): void {
  let opened: TestStore
  let store: Store
  let tenant: Tenant
  let taken: Lease[]
  let room: { limit: number; ahead: number }

  beforeEach(async () => {
    opened = await open()
    store = opened.store
    tenant = await makeTenant(store)
    taken = []
    room = { limit: 100, ahead: 0 }
    store.courier = {
      room: () => room,
      take: (leases) => taken.push(...leases),
      setAside: async (_webhookId, work) => ({ result: await work(), cameBack: false }),
    }
  })
  afterEach(async () => await opened[Symbol.asyncDispose]())

  const acceptCalls = async (from: number, to: number, now = 1_000) =>
    await accept(
      store,
      tenant,
      Array.from({ length: to - from }, (_, i) => callEvent(tenant, `call ${from + i}`)),
      now,
    )
  const counts = async () => await countDeliveries(store, tenant.account.id, null)

  describe('hand-over', () => {
    test('up to the concurrency it is handed over, with all that the request needs; the rest waits', async () => {
      const { secret: _, ...webhook } = await makeWebhook(store, tenant, { concurrency: 2 })
      await acceptCalls(0, 3)
      expect(taken).toHaveLength(2)
      const event = callEvent(tenant, 'call 0')
      expect(taken[0]).toMatchObject({
        attempts: 0,
        call: 'call' in event ? `0 ${event.call.uuid}` : '',
        event: { id: event.id, type: event.type },
        webhook: { id: webhook.id, url: webhook.url, retries: 3, concurrency: 2, troubled: false },
      })
      expect(JSON.parse(taken[0]?.event.body ?? '')).toEqual(event)
      expect(await counts()).toMatchObject({ leased: 2, pending: 1 })
      expect((await claim(store, 1_000)).leases).toEqual([])

      // Its end is written like any other, and makes room; what waits goes before what is new.
      expect(await succeed(store, taken[0] as Lease, 1_100)).toBe(true)
      await acceptCalls(3, 4, 1_200)
      expect(taken).toHaveLength(2)
      expect(eventIdsOf(await claim(store, 1_200))).toEqual([callEvent(tenant, 'call 2').id])
    })

    test('all calls of a webhook that is quick may be ahead of it, none of one that fails', async () => {
      await makeWebhook(store, tenant, { concurrency: 1, retries: 3 })
      room = { limit: 100, ahead: 50 }
      for (let call = 0; call < 8; call += 1) {
        await acceptCalls(call, call + 1)
        await succeed(store, taken[call] as Lease, 1_100)
      }
      // One for its slot, and ahead of that no more than there were successes.
      await acceptCalls(8, 20, 1_200)
      expect(taken).toHaveLength(17)
      for (const lease of taken.slice(8, 16)) await succeed(store, lease, 1_300)
      await failUntil(store, taken[16] as Lease, 60_000, 1_300)
      await acceptCalls(20, 22, 1_400)
      expect(taken).toHaveLength(17)
      const ahead = await claimDue(store, { now: 1_400, limit: 100, troubledLimit: 100, ahead: 50 })
      expect(ahead.leases).toHaveLength(1)
    })

    test('a claim takes ahead in the order of the calls, and nothing whose earlier event was put off', async () => {
      store.courier = null
      await makeWebhook(store, tenant, { concurrency: 1 })
      await acceptCalls(0, 2)
      for (let call = 0; call < 2; call += 1) {
        const [lease] = (await claim(store, 1_000)).leases
        await succeed(store, lease as Lease, 1_000)
      }
      const events = [1, 2, 3].map((n) => callEvent(tenant, 'long', n))
      await accept(store, tenant, events, 2_000)
      const ahead = { now: 2_000, limit: 100, troubledLimit: 100, ahead: 50 }
      const all = (await claimDue(store, ahead)).leases
      expect(all.map((lease) => lease.event.id)).toEqual(events.map(({ id }) => id))

      await returnLeases(store, all.slice(0, 1), 2_100, 9_000)
      await returnLeases(store, all.slice(1), 2_100, null)
      expect((await claimDue(store, { ...ahead, now: 2_100 })).leases).toEqual([])
      const later = (await claimDue(store, { ...ahead, now: 9_000 })).leases
      expect(later.map((lease) => lease.event.id)).toEqual([events[0]?.id])
    })

    test('a delay, a disabled webhook, no room: it waits', async () => {
      const slow = await makeWebhook(store, tenant, { delay_seconds: 1 })
      await acceptCalls(0, 1)
      const held = await makeWebhook(store, tenant)
      await acceptCalls(1, 2)
      expect(taken.map((lease) => lease.webhook.id)).toEqual([held.id])
      await giveUp(store, taken[0] as Lease, 'gone', 1_100)
      await acceptCalls(2, 3)
      await setWebhookEnabled(store, tenant.account.id, held.id, true, 1_200)
      room = { limit: 0, ahead: 50 }
      await acceptCalls(3, 4)
      expect(taken).toHaveLength(1)
      expect(slow.id).not.toBe(held.id)
      expect(await counts()).toMatchObject({ leased: 0, pending: 6, exhausted: 1 })
    })

    test('of a process that died it is as pending as before', async () => {
      await makeWebhook(store, tenant)
      await acceptCalls(0, 3)
      store.courier = null
      // Where others may be on the database, it comes back when its leases run out.
      const later = store.facts.singleProcess ? 2_000 : longerThanLeases
      expect(await reapAtStart(store, later)).toBe(3)
      expect((await claim(store, later)).leases).toHaveLength(3)
      expect(await succeed(store, taken[0] as Lease, 2_100)).toBe(false)
    })
  })
}
