import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Lease } from '#server/store/claim.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { listEvents } from '#server/store/events.ts'
import { reapLeases, returnLeases } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import { getWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
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

/** Longer than any lease. */
const hour = 3_600_000

export function runLeaseConformance(open: OpenTestStore): void {
  describe('leases, hold and release', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const acceptCalls = async (from: number, to: number, now = 1_000) => {
      const calls = Array.from({ length: to - from }, (_, i) =>
        callEvent(tenant, `call ${from + i}`),
      )
      await accept(store, tenant, calls, now)
      return calls
    }
    const only = (leases: readonly Lease[]): Lease => {
      if (leases[0] === undefined || leases.length > 1) throw new Error(`${leases.length} leases`)
      return leases[0]
    }

    describe('leases', () => {
      test('run out, count no attempt, and their late answer changes nothing', async () => {
        await makeWebhook(store, tenant, { timeout_seconds: 1, concurrency: 1 })
        await acceptCalls(0, 1)
        const late = only((await claim(store, 1_000)).leases)
        expect(await reapLeases(store, [], 31_999)).toBe(0)
        expect(await reapLeases(store, [], 32_000)).toBe(1)
        const again = only((await claim(store, 32_000)).leases)
        expect(again).toMatchObject({ attempts: 0, event: { id: late.event.id } })
        expect(again.claimId).not.toBe(late.claimId)
        expect(await succeed(store, late, 33_000)).toBe(false)
        expect(await succeed(store, again, 33_000)).toBe(true)
        expect((await countDeliveries(store, tenant.account.id, null)).delivered).toBe(1)
        // The late answer gave no slot back that was not its own.
        await acceptCalls(1, 3, 34_000)
        expect((await claim(store, 34_000)).leases).toHaveLength(1)
      })

      test('of claims that are worked on do not run out', async () => {
        await makeWebhook(store, tenant)
        await acceptCalls(0, 1)
        const lease = only((await claim(store, 1_000)).leases)
        expect(await reapLeases(store, [lease], hour)).toBe(0)
        expect(await succeed(store, lease, hour)).toBe(true)
      })

      test('given up are due again at once, or as told', async () => {
        await makeWebhook(store, tenant)
        await acceptCalls(0, 2)
        const [one, two] = (await claim(store, 1_000)).leases
        if (one === undefined || two === undefined) throw new Error('no leases')
        expect(await returnLeases(store, [one], 1_100, null)).toBe(1)
        expect(await returnLeases(store, [two], 1_100, 9_000)).toBe(1)
        expect(await returnLeases(store, [one, two], 1_100, null)).toBe(0)
        expect(eventIdsOf(await claim(store, 1_100))).toEqual([one.event.id])
        expect(eventIdsOf(await claim(store, 9_000))).toEqual([two.event.id])
      })

      test('a counter that drifted is set right', async () => {
        await makeWebhook(store, tenant)
        await acceptCalls(0, 5)
        await store.write.updateTable('lane').set({ in_flight: 5 }).execute()
        expect((await claim(store, 1_000)).leases).toEqual([])
        await reapLeases(store, [], 1_000)
        expect((await claim(store, 1_000)).leases).toHaveLength(5)
      })
    })

    describe('hold and release', () => {
      test('a disabled webhook sends nothing; enabled, it goes on where it was', async () => {
        const { id } = await makeWebhook(store, tenant)
        const events = await acceptCalls(0, 2)
        await setWebhookEnabled(store, tenant.account.id, id, false, 1_000)
        expect(await claim(store, hour)).toEqual({ leases: [], nextDue: null })
        const held = await listDeliveries(store, tenant.account.id, { state: 'held' }, { limit: 9 })
        expect(held.items.map((d) => [d.state, d.due_at])).toEqual([
          ['held', null],
          ['held', null],
        ])
        const counts = await countDeliveries(store, tenant.account.id, id)
        expect(counts).toMatchObject({ held: 2, pending: 0 })
        await setWebhookEnabled(store, tenant.account.id, id, true, 2_000)
        expect(eventIdsOf(await claim(store, 2_000))).toEqual(events.map((e) => e.id))
      })

      test('what is under way while it is disabled comes to its end, a retry is held', async () => {
        const { id } = await makeWebhook(store, tenant)
        await acceptCalls(0, 2)
        const [one, two] = (await claim(store, 1_000)).leases
        if (one === undefined || two === undefined) throw new Error('no leases')
        await setWebhookEnabled(store, tenant.account.id, id, false, 1_000)
        expect(await succeed(store, one, 1_100)).toBe(true)
        expect(await failUntil(store, two, 1_200, 1_100)).toBe(true)
        expect((await claim(store, hour)).leases).toEqual([])
        const counts = await countDeliveries(store, tenant.account.id, id)
        expect(counts).toMatchObject({ delivered: 1, held: 1 })
      })

      test('410: disabled and told in the same transaction; later events are held for it', async () => {
        const { account } = tenant
        const gone = await makeWebhook(store, tenant, {
          triggers: ['call.inbound.received', 'webhook.disabled'],
        })
        const watcher = await makeWebhook(store, tenant, { triggers: ['webhook.disabled'] })
        await acceptCalls(0, 2)
        const [one, two] = (await claim(store, 1_000)).leases
        if (one === undefined || two === undefined) throw new Error('no leases')
        await Promise.all([giveUp(store, one, 'gone', 1_100), giveUp(store, two, 'gone', 1_100)])
        expect(await getWebhook(store, account.id, gone.id)).toMatchObject({
          enabled: false,
          disabled_reason: 'gone',
        })
        const told = await listEvents(store, account.id, { type: 'webhook.disabled' }, { limit: 9 })
        expect(told.items).toMatchObject([
          { service: null, webhook: { id: gone.id, name: gone.name, reason: 'gone' } },
        ])
        await acceptCalls(2, 3, 2_000)
        const next = await claim(store, 2_000)
        expect(next.leases.map((l) => l.webhook.id)).toEqual([watcher.id])
        expect((await countDeliveries(store, account.id, gone.id)).held).toBe(1)
        await setWebhookEnabled(store, account.id, gone.id, true, 3_000)
        expect((await claim(store, 3_000)).leases).toHaveLength(1)
      })
    })
  })
}
