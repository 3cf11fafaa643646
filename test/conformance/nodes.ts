import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acceptEvents } from '#server/store/accept.ts'
import { readCapture } from '#server/store/captures.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listEvents } from '#server/store/events.ts'
import { beat, leave, otherNodes, registerNode, removeNode } from '#server/store/nodes.ts'
import {
  type Fence,
  giveUpOwnership,
  listOwnedServices,
  takeOwnership,
} from '#server/store/ownerships.ts'
import { reapLeases } from '#server/store/reap.ts'
import { deleteService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import {
  accept,
  acceptanceOf,
  callEvent,
  claim,
  eventIdsOf,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

const identity = { home: 'home', host: 'host', version: '1' }

export function runNodeConformance(open: OpenTestStore): void {
  let opened: TestStore
  let store: Store
  /** Another process, as far as the tables can tell. */
  let other: Store
  let tenant: Tenant
  beforeEach(async () => {
    opened = await open()
    store = opened.store
    other = { ...store, node: 'other' }
    tenant = await makeTenant(store)
  })
  afterEach(async () => await opened[Symbol.asyncDispose]())

  const take = async (who: Store, home: string | null = null): Promise<Fence | null> =>
    await takeOwnership(who, tenant.serviceUuid, home)

  describe('nodes', () => {
    const registered = async (who: Store) => {
      await registerNode(who, identity, 1_000)
      const [seen] = await otherNodes({ ...store, node: 'nobody' })
      if (seen === undefined) throw new Error('not registered')
      return seen
    }

    test('are seen by the others, and count up', async () => {
      await registerNode(store, identity, 1_000)
      await registerNode(other, { ...identity, home: 'elsewhere' }, 2_000)
      expect(await beat(other, 2_500)).toBe(true)
      expect(await otherNodes(store)).toEqual([
        { id: 'other', home: 'elsewhere', host: 'host', beat: 2_001, seenAt: 2_500 },
      ])
      await leave(other, 3_000)
      expect(await otherNodes(store)).toEqual([])
      expect(await beat(other, 3_000)).toBe(false)
    })

    test('one that beat meanwhile is not removed, one that did not is removed once', async () => {
      const seen = await registered(other)
      await beat(other, 2_000)
      expect(await removeNode(store, seen, 3_000)).toBeNull()
      const now = { ...seen, beat: seen.beat + 1 }
      const removals = await Promise.all([1, 2, 3].map(() => removeNode(store, now, 3_000)))
      expect(removals.filter((removal) => removal !== null)).toEqual([{ deliveries: 0 }])
    })

    test('what a dead one had under way is due at once, and its late outcomes change nothing', async () => {
      await makeWebhook(store, tenant, { concurrency: 2 })
      await accept(store, tenant, [callEvent(tenant, 'a'), callEvent(tenant, 'b')])
      const seen = await registered(store)
      const claimed = await claim(store, 1_000)
      expect(await removeNode(other, seen, 1_100)).toEqual({ deliveries: 2 })
      const again = await claim(store, 1_100)
      expect(eventIdsOf(again)).toEqual(eventIdsOf(claimed))
      for (const lease of claimed.leases) expect(await succeed(store, lease, 1_200)).toBe(false)
      for (const lease of again.leases) expect(await succeed(store, lease, 1_200)).toBe(true)
      expect((await countDeliveries(store, tenant.account.id, null)).delivered).toBe(2)
    })

    test('leases of one that lives are not for others to return, by whatever clock', async () => {
      await makeWebhook(store, tenant)
      await accept(store, tenant, [callEvent(tenant, 'a')])
      await registered(store)
      await claim(store, 1_000)
      const hours = 10 * 3_600_000
      expect(await reapLeases(other, [], hours)).toBe(0)
      expect(await reapLeases(store, [], hours)).toBe(1)
    })
  })

  describe('ownership of a PBX', () => {
    test('one has it; the next one comes after it was given up, and only that one commits', async () => {
      const first = await take(store)
      expect(first).toEqual({ node: store.node, epoch: 1 })
      expect(await take(other)).toBeNull()
      if (first === null) throw new Error('not taken')
      const commit = async (fence: Fence, call: string) =>
        await acceptEvents(
          store,
          acceptanceOf(tenant, [callEvent(tenant, call)], { fence, cursor: call }),
        )
      await commit(first, 'a')
      await giveUpOwnership(store, tenant.serviceUuid, first)
      await expect(commit(first, 'b')).rejects.toMatchObject({ code: 'capture_taken_over' })
      const second = await take(other)
      expect(second).toEqual({ node: 'other', epoch: 2 })
      await expect(commit(first, 'b')).rejects.toMatchObject({ code: 'capture_taken_over' })
      expect((await readCapture(store, tenant.serviceUuid)).cursor).toBe('a')
      expect((await listEvents(store, tenant.account.id, {}, { limit: 9 })).items).toHaveLength(1)
      if (second !== null) await commit(second, 'c')
      expect((await readCapture(store, tenant.serviceUuid)).cursor).toBe('c')
    })

    test('of many that reach for it at once, one gets it', async () => {
      const all = Array.from({ length: 10 }, (_, i) => ({ ...store, node: `node ${i}` }))
      const taken = await Promise.all(all.map((who) => take(who)))
      expect(taken.filter((fence) => fence !== null)).toHaveLength(1)
    })

    test('a stale owner fails alone, others in the same commit do not', async () => {
      const stale = await take(store)
      if (stale === null) throw new Error('not taken')
      await giveUpOwnership(store, tenant.serviceUuid, stale)
      const healthy = await makeTenant(store)
      const [refused, accepted] = await Promise.allSettled([
        acceptEvents(store, acceptanceOf(tenant, [callEvent(tenant, 'a')], { fence: stale })),
        acceptEvents(store, acceptanceOf(healthy, [callEvent(healthy, 'b')])),
      ])
      expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'capture_taken_over' } })
      expect(accepted).toMatchObject({ status: 'fulfilled', value: { events: 1 } })
    })

    test('one with a home is for that home only', async () => {
      const fence = await take(store, 'here')
      if (fence === null) throw new Error('not taken')
      await giveUpOwnership(store, tenant.serviceUuid, fence)
      expect(await take(other, 'there')).toBeNull()
      expect(await take(other, 'here')).toMatchObject({ epoch: 2 })
      expect(await listOwnedServices(store)).toMatchObject([
        { serviceUuid: tenant.serviceUuid, node: 'other', home: 'here', epoch: 2, unread: false },
      ])
    })

    test('the node that is removed has it no longer; a deleted service has none', async () => {
      await registerNode(other, identity, 1_000)
      const [seen] = await otherNodes(store)
      await take(other)
      if (seen !== undefined) await removeNode(store, seen, 2_000)
      expect(await listOwnedServices(store)).toMatchObject([{ node: null, epoch: 1 }])
      await deleteService(store, tenant.account.id, tenant.serviceUuid, 2_000)
      expect(await store.read.selectFrom('ownership').selectAll().execute()).toEqual([])
    })
  })
}
