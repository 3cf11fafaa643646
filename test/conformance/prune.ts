import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { listEvents } from '#server/store/events.ts'
import { partitionDays } from '#server/store/partitions.ts'
import {
  giveSpaceBack,
  pruneDeletedWebhooks,
  pruneDeliveries,
  pruneEvents,
  prunePartitions,
} from '#server/store/prune.ts'
import { resendDelivery } from '#server/store/resend.ts'
import type { Store } from '#server/store/store.ts'
import { deleteWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  eventIdsOf,
  failUntil,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

/** The caller of every event of the fixture. */
const callerKey = eventSamples['call.inbound.received'].call.source.number ?? ''

export function runPruneConformance(open: OpenTestStore): void {
  describe('prune', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    /** Walks to the end, two rows at a time; returns how many were removed. */
    async function walk(step: typeof pruneDeliveries, before: number): Promise<number> {
      let removed = 0
      for (let after: number | null = 0; after !== null; ) {
        const done = await step(store, after, { before, now: 9_999, limit: 2 })
        removed += done.removed
        after = done.next
      }
      return removed
    }

    test('what ended before goes, with its attempts; what is under way or young stays', async () => {
      await makeWebhook(store, tenant, { order: 'none' })
      const calls = ['a', 'b', 'c', 'd', 'e']
      for (const call of calls) await accept(store, tenant, [callEvent(tenant, call)], 1_000)
      const { leases } = await claim(store, 1_000, 4)
      for (const lease of leases.slice(0, 3)) await succeed(store, lease, 2_000)
      await accept(store, tenant, [callEvent(tenant, 'young')], 5_000)

      expect(await walk(pruneDeliveries, 2_000)).toBe(0)
      expect(await walk(pruneDeliveries, 4_000)).toBe(3)
      const counts = await countDeliveries(store, tenant.account.id, null)
      expect(counts).toMatchObject({ delivered: 0, leased: 1, exhausted: 1, pending: 1 })
      expect(await walk(pruneEvents, 4_000)).toBe(3)
      expect((await listEvents(store, tenant.account.id, {}, { limit: 10 })).items).toHaveLength(3)
    })

    test('a day goes when all its events are gone, and its space with it', async () => {
      const day = 86_400_000
      await makeWebhook(store, tenant, { order: 'none', concurrency: 50 })
      const waits = callEvent(tenant, 'waits')
      for (let call = 0; call < 50; call += 1) {
        await accept(store, tenant, [callEvent(tenant, `call ${call}`)], 1_000)
      }
      const { leases } = await claim(store, 1_000, 50)
      for (const lease of leases) {
        // Nothing that a database could store in fewer bytes.
        await succeed(store, lease, 2_000, randomBytes(45_000).toString('base64'))
      }
      await accept(store, tenant, [waits], day - 1)
      await accept(store, tenant, [callEvent(tenant, 'young')], day + 1_000)
      const size = await opened.bytes()
      const prune = async (before: number) => {
        await walk(pruneDeliveries, before)
        await walk(pruneEvents, before)
        while (await prunePartitions(store, { before, limit: 20 }));
        while (await giveSpaceBack(store, 50));
      }

      // The delivery that is under way keeps its body, and with it the whole day.
      const [held] = (await claim(store, day, 1)).leases
      await prune(day)
      expect(await partitionDays(store.read)).toEqual([0, 1])
      expect(JSON.parse(held?.event.body ?? '')).toEqual(waits)
      if (held !== undefined) await succeed(store, held, day)

      await prune(day + 1)
      expect(await partitionDays(store.read)).toEqual([1])
      for (const filter of [{}, { numberKeys: [callerKey] }]) {
        const { items } = await listEvents(store, tenant.account.id, filter, { limit: 10 })
        expect(items).toHaveLength(1)
      }
      expect(await opened.bytes()).toBeLessThan(size / 4)
    })

    const shown = async () =>
      (await listDeliveries(store, tenant.account.id, {}, { limit: 10 })).items[0]

    test('what was held for as long is given up, visibly', async () => {
      const webhook = await makeWebhook(store, tenant)
      await accept(store, tenant, [callEvent(tenant, 'a')], 1_000)
      await setWebhookEnabled(store, tenant.account.id, webhook.id, false, 1_000)
      await walk(pruneDeliveries, 4_000)
      const given = { state: 'exhausted', attempts: 0, given_up_because: 'waited_too_long' }
      expect(await shown()).toMatchObject(given)
    })

    test('what waits behind a breaker is given up, sent again for as long anew, and its day goes', async () => {
      const hour = 3_600_000
      const sweep = async (now: number) => {
        const request = { before: now - hour, now, limit: 100 }
        await pruneDeliveries(store, 0, request)
        await pruneEvents(store, 0, request)
        while (await prunePartitions(store, request));
      }
      await makeWebhook(store, tenant, { retries: 50 })
      await accept(store, tenant, [callEvent(tenant, 'a')], 0)
      // Every probe fails, and keeps the delivery its tries.
      let now = 0
      const probe = async () => {
        const [lease] = (await claim(store, now)).leases
        if (lease !== undefined) await failUntil(store, lease, now, now)
        now += hour / 4
      }
      for (let i = 0; i < 8; i += 1) await probe()
      expect(await shown()).toMatchObject({ given_up_because: null })
      await sweep(now)
      const given = { state: 'exhausted', given_up_because: 'waited_too_long' }
      expect(await shown()).toMatchObject(given)

      const id = (await shown())?.id ?? ''
      expect(await resendDelivery(store, tenant.account.id, id, now)).toBe('resent')
      for (let i = 0; i < 4; i += 1) {
        await sweep(now)
        expect(await shown()).toMatchObject({ given_up_because: null, finished_at: null })
        await probe()
      }
      await probe()
      await sweep(now)
      expect(await shown()).toMatchObject(given)

      now += 24 * hour
      await sweep(now)
      expect(await shown()).toBeUndefined()
      now += 48 * hour
      await sweep(now)
      expect(await partitionDays(store.read)).toEqual([])
    })

    test('given up, an event lets the later ones of its call go', async () => {
      await makeWebhook(store, tenant, { order: 'strict', retries: 5 })
      await accept(store, tenant, [callEvent(tenant, 'a', 1)], 1_000)
      const [first] = (await claim(store, 1_000)).leases
      if (first === undefined) throw new Error('no lease')
      await failUntil(store, first, 900_000, 1_100)
      await accept(store, tenant, [callEvent(tenant, 'a', 2)], 6_000)
      expect((await claim(store, 6_000)).leases).toEqual([])
      await pruneDeliveries(store, 0, { before: 5_000, now: 9_999, limit: 10 })
      expect(eventIdsOf(await claim(store, 9_999))).toEqual([callEvent(tenant, 'a', 2).id])
    })

    test('what a webhook that is gone has left behind goes', async () => {
      await makeWebhook(store, tenant)
      await accept(store, tenant, [callEvent(tenant, 'a'), callEvent(tenant, 'b')], 1_000)
      await claim(store, 1_000, 1)
      await store.write.deleteFrom('lane').execute()
      await store.write.deleteFrom('webhook').execute()
      expect(await walk(pruneDeliveries, 1_000)).toBe(0)
      expect(await walk(pruneDeliveries, 4_000)).toBe(2)
      expect(await walk(pruneEvents, 4_000)).toBe(2)
    })

    test('a deleted webhook goes step by step', async () => {
      const webhook = await makeWebhook(store, tenant)
      for (const call of ['a', 'b', 'c']) await accept(store, tenant, [callEvent(tenant, call)])
      const { leases } = await claim(store, 1_000, 1)
      await deleteWebhook(store, tenant.account.id, webhook.id, 2_000)
      expect((await claim(store, 3_000)).leases).toEqual([])
      expect((await listDeliveries(store, tenant.account.id, {}, { limit: 10 })).items).toEqual([])
      let steps = 0
      while (await pruneDeletedWebhooks(store, 2)) steps += 1
      expect(steps).toBe(2)
      expect(await store.read.selectFrom('delivery').select('seq').execute()).toEqual([])
      expect(await store.read.selectFrom('webhook').select('id').execute()).toEqual([])
      // The request that was under way then comes to its end, and finds nothing to write.
      for (const lease of leases) expect(await succeed(store, lease, 4_000)).toBe(false)
    })
  })
}
