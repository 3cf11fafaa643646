/** Strict order: an event of a call waits until the one before it is over. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import type { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { cancelDelivery } from '#server/store/cancel.ts'
import type { Lease } from '#server/store/claim.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { pruneDeliveries } from '#server/store/prune.ts'
import { reapLeases } from '#server/store/reap.ts'
import { resendDelivery } from '#server/store/resend.ts'
import type { Store } from '#server/store/store.ts'
import { changeWebhook } from '#server/store/webhooks.ts'
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

export function runOrderConformance(open: OpenTestStore): void {
  describe('strict order', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const strict = async (more: Partial<WebhookDraft> = {}) =>
      await makeWebhook(store, tenant, { order: 'strict', ...more })
    const callOf = (name: string, count: number): Event[] =>
      Array.from({ length: count }, (_, i) => callEvent(tenant, name, i + 1))
    const claimOne = async (now: number): Promise<Lease> => {
      const { leases } = await claim(store, now)
      if (leases[0] === undefined || leases.length > 1) throw new Error(`${leases.length} leases`)
      return leases[0]
    }
    const idsAt = async (now: number) => eventIdsOf(await claim(store, now))
    const states = async () => {
      const { items } = await listDeliveries(store, tenant.account.id, {}, { limit: 50 })
      return items.toReversed().map((d) => d.held_because ?? d.state)
    }

    test('a retry holds back the later events of its call, and no other call', async () => {
      await strict()
      const a = callOf('a', 3)
      const [b] = callOf('b', 1)
      await accept(store, tenant, [...a, b as Event])
      const first = await claim(store, 1_000)
      expect(eventIdsOf(first)).toEqual([a[0]?.id, b?.id])
      await failUntil(store, first.leases[0] as Lease, 6_000, 1_100)
      expect(await claim(store, 5_999)).toEqual({ leases: [], nextDue: 6_000 })
      const again = await claimOne(6_000)
      expect(again).toMatchObject({ attempts: 1, event: { id: a[0]?.id } })
      await succeed(store, again, 6_100)
      const second = await claimOne(6_100)
      expect(second.event.id).toBe(a[1]?.id)
      await succeed(store, second, 6_200)
      expect(await idsAt(6_200)).toEqual([a[2]?.id])
    })

    test('kill -9 with the head under way: the head goes first again', async () => {
      await strict()
      const a = callOf('a', 2)
      await accept(store, tenant, a)
      await claimOne(1_000)
      await reapLeases(store, [], 3_600_000)
      expect(await idsAt(3_600_000)).toEqual([a[0]?.id])
    })

    test('skip: what is given up lets the next one go', async () => {
      await strict()
      const a = callOf('a', 2)
      await accept(store, tenant, a)
      await giveUp(store, await claimOne(1_000), null, 1_100)
      expect(await idsAt(1_100)).toEqual([a[1]?.id])
    })

    describe('block', () => {
      const blockedCall = async () => {
        const webhook = await strict({ on_exhausted: 'block' })
        const a = callOf('a', 3)
        await accept(store, tenant, a)
        const head = await claimOne(1_000)
        await giveUp(store, head, null, 1_100)
        return { webhook, a }
      }
      const headId = 'dlv_0000000001'

      test('what is given up holds back the rest of its call, visibly, and nothing else', async () => {
        await blockedCall()
        const [b] = callOf('b', 1)
        await accept(store, tenant, [b as Event], 1_200)
        expect(await idsAt(1_200)).toEqual([b?.id])
        expect(await claim(store, 900_000)).toEqual({ leases: [], nextDue: null })
        expect(await states()).toEqual([
          'exhausted',
          'earlier_event_failed',
          'earlier_event_failed',
          'leased',
        ])
        const held = await listDeliveries(
          store,
          tenant.account.id,
          { state: 'held' },
          { limit: 50 },
        )
        expect(held.items).toHaveLength(2)
      })

      test('resent, the head goes first and the rest follows', async () => {
        const { a } = await blockedCall()
        const { id } = tenant.account
        expect(await resendDelivery(store, id, headId, 2_000)).toBe('resent')
        const head = await claimOne(2_000)
        expect(head).toMatchObject({ resends: 1, event: { id: a[0]?.id } })
        await succeed(store, head, 2_100)
        expect(await idsAt(2_100)).toEqual([a[1]?.id])
      })

      test('cancelled, the head lets the rest go', async () => {
        const { a } = await blockedCall()
        expect(await cancelDelivery(store, tenant.account.id, headId, 2_000)).toBe('cancelled')
        expect(await idsAt(2_000)).toEqual([a[1]?.id])
        expect(await states()).toEqual(['cancelled', 'leased', 'pending'])
      })

      test('the webhook changed to skip lets it go', async () => {
        const { webhook, a } = await blockedCall()
        const change = { on_exhausted: 'skip' } as const
        await changeWebhook(store, tenant.account.id, webhook.id, change, 2_000)
        expect(await idsAt(2_000)).toEqual([a[1]?.id])
      })

      test('after the retention the rest is given up, not sent a month late', async () => {
        await blockedCall()
        const request = { before: 50_000, now: 60_000, limit: 100 }
        await pruneDeliveries(store, 0, request)
        expect(await states()).toEqual(['exhausted', 'exhausted'])
        expect((await claim(store, 60_000)).leases).toEqual([])
      })
    })

    test('an event that is sent again holds back the later ones that still wait', async () => {
      await strict({ delay_seconds: 5 })
      const a = callOf('a', 2)
      await accept(store, tenant, a.slice(0, 1))
      await succeed(store, await claimOne(6_000), 6_100)
      await accept(store, tenant, a.slice(1), 6_200)
      await resendDelivery(store, tenant.account.id, 'dlv_0000000001', 11_200)
      const again = await claimOne(11_200)
      expect(again).toMatchObject({ resends: 1, event: { id: a[0]?.id } })
      await giveUp(store, again, null, 11_300)
      expect(await idsAt(11_300)).toEqual([a[1]?.id])
    })
  })
}
