import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mendTimes, noteTime } from '#server/store/last-time.ts'
import { registerNode } from '#server/store/nodes.ts'
import type { Store } from '#server/store/store.ts'
import {
  accept,
  callEvent,
  claim,
  eventIdsOf,
  failUntil,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

const hour = 3_600_000
const then = 10 * hour
/** What the clock shows after it was set back. */
const now = then - 2 * hour

export function runLastTimeConformance(open: OpenTestStore): void {
  let opened: TestStore
  let store: Store
  let tenant: Tenant
  beforeEach(async () => {
    opened = await open()
    store = opened.store
    tenant = await makeTenant(store)
  })
  afterEach(async () => await opened[Symbol.asyncDispose]())

  /** One delivery that is tried again in half an hour. */
  const putOff = async () => {
    await makeWebhook(store, tenant, { concurrency: 5 })
    const event = callEvent(tenant, 'put off')
    await accept(store, tenant, [event], then)
    const [lease] = (await claim(store, then)).leases
    if (lease === undefined) throw new Error('no lease')
    await failUntil(store, lease, then + hour / 2, then)
    return event
  }
  const dueAt = async (at: number) => eventIdsOf(await claim(store, at))

  describe('a clock that was set back between two runs', () => {
    test('what waits is due when it was to be, by the clock of now', async () => {
      const event = await putOff()
      await noteTime(store, then)
      expect(await mendTimes(store, now)).toBe(2 * hour)
      expect(await dueAt(now + hour / 2 - 1)).toEqual([])
      expect(await dueAt(now + hour / 2)).toEqual([event.id])
      expect(await mendTimes(store, now)).toBe(0)
    })

    test('what would have been due already is due now', async () => {
      const event = await putOff()
      await noteTime(store, then + 3 * hour)
      expect(await mendTimes(store, now)).toBe(5 * hour)
      expect(await dueAt(now)).toEqual([event.id])
    })

    test('the breaker of a receiver in trouble opens its pause no later', async () => {
      await makeWebhook(store, tenant, { concurrency: 5 })
      const events = Array.from({ length: 5 }, (_, i) => callEvent(tenant, `call ${i}`))
      await accept(store, tenant, events, then)
      for (const lease of (await claim(store, then)).leases) {
        await failUntil(store, lease, then + 5_000, then)
      }
      expect(await dueAt(then + 1)).toEqual([])
      await noteTime(store, then)
      expect(await mendTimes(store, now)).toBe(2 * hour)
      // The first pause of a breaker is five seconds, give or take a fifth; then one probe.
      expect(await dueAt(now + 6_000)).toHaveLength(1)
    })

    test('no time is noted that is earlier, and none mended where the clock has gone on', async () => {
      await putOff()
      await noteTime(store, then)
      await noteTime(store, then - hour)
      expect(await mendTimes(store, then - 9_000)).toBe(0)
      expect(await mendTimes(store, then + 1)).toBe(0)
      expect(await dueAt(then + hour / 2 - 1)).toEqual([])
    })

    test('nor where the clock of another node is where it was: then ours is the wrong one', async () => {
      await putOff()
      await noteTime(store, then)
      const identity = { home: 'elsewhere', host: 'other', version: '1' }
      await registerNode({ ...store, node: 'other' }, identity, then)
      expect(await mendTimes(store, now)).toBe(0)
    })
  })
}
