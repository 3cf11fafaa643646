import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { listAttempts } from '#server/store/attempts.ts'
import { cancelDelivery } from '#server/store/cancel.ts'
import { claimDue, type Lease, nextDueAt } from '#server/store/claim.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { finishAttempt } from '#server/store/finish.ts'
import { reapLeases } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import { changeWebhook } from '#server/store/webhooks.ts'
import { engineSteps, playEngine } from '#test/conformance/engine.ts'
import {
  accept,
  callEvent,
  claim,
  eventIdsOf,
  failUntil,
  finishOf,
  giveUp,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

/** Longer than any lease. */
const hour = 3_600_000

export function runClaimConformance(open: OpenTestStore): void {
  describe('claim, finish, reap', () => {
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

    test('nothing is leased twice, however many claim at once', async () => {
      await makeWebhook(store, tenant, { concurrency: 100 })
      await acceptCalls(0, 60)
      const ids: string[] = []
      for (let more = true; more; ) {
        // Where one has the lane in hand, others pass it over.
        const round = await Promise.all(Array.from({ length: 10 }, () => claim(store, 1_000, 10)))
        ids.push(...round.flatMap(eventIdsOf))
        more = round.some(({ leases }) => leases.length > 0)
      }
      expect(new Set(ids).size).toBe(ids.length)
      expect(ids.length).toBe(60)
    })

    test('a lease carries all that the request needs', async () => {
      const { secret: _, ...webhook } = await makeWebhook(store, tenant, { timeout_seconds: 9 })
      const [event] = await acceptCalls(0, 1)
      const lease = only((await claim(store, 1_000)).leases)
      expect(lease).toMatchObject({
        attempts: 0,
        webhook: {
          id: webhook.id,
          url: webhook.url,
          retries: 3,
          timeoutMs: 9_000,
          troubled: false,
        },
        event: { id: event?.id, type: 'call.inbound.received' },
      })
      expect(JSON.parse(lease.event.body)).toEqual(event)
    })

    test('a lane has no more under way than it may', async () => {
      const { id } = await makeWebhook(store, tenant, { concurrency: 3 })
      await acceptCalls(0, 10)
      const { leases } = await claim(store, 1_000)
      expect(leases).toHaveLength(3)
      expect((await claim(store, 1_000)).leases).toEqual([])
      expect(await nextDueAt(store)).toBeNull()
      await Promise.all(leases.slice(0, 2).map((lease) => succeed(store, lease, 1_100)))
      expect((await claim(store, 1_100)).leases).toHaveLength(2)
      await changeWebhook(store, tenant.account.id, id, { concurrency: 5 }, 1_200)
      expect((await claim(store, 1_200)).leases).toHaveLength(2)
    })

    test('lanes take turns: a great backlog of one delays the others by nothing', async () => {
      const heavy = await makeWebhook(store, tenant, { concurrency: 100, order: 'none' })
      await acceptCalls(0, 300)
      const light = await makeWebhook(store, tenant, { order: 'none' })
      await acceptCalls(300, 302, 2_000)
      const counts: Record<string, number> = { [heavy.id]: 0, [light.id]: 0 }
      for (let round = 0; round < 2; round += 1) {
        const { leases } = await claim(store, 2_000 + round, 8)
        for (const lease of leases) {
          counts[lease.webhook.id] = (counts[lease.webhook.id] ?? 0) + 1
          await succeed(store, lease, 2_000 + round)
        }
      }
      expect(counts[light.id]).toBe(2)
    })

    test('many busy lanes are served evenly', async () => {
      const webhooks = await Promise.all(
        Array.from({ length: 50 }, () => makeWebhook(store, tenant, { order: 'none' })),
      )
      await acceptCalls(0, 12)
      const served = new Map<string, number>()
      for (let round = 0; round < 20; round += 1) {
        const { leases } = await claim(store, 2_000 + round, 20)
        await Promise.all(leases.map((lease) => succeed(store, lease, 2_000 + round)))
        for (const { webhook } of leases) served.set(webhook.id, (served.get(webhook.id) ?? 0) + 1)
      }
      const counts = webhooks.map((w) => served.get(w.id) ?? 0)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(4)
    })

    test('failing webhooks are left out where their part of the slots is taken', async () => {
      const sick = await makeWebhook(store, tenant)
      await acceptCalls(0, 2)
      const [first, second] = (await claim(store, 1_000)).leases
      if (first === undefined || second === undefined) throw new Error('no leases')
      await failUntil(store, first, 1_500, 1_100)
      await failUntil(store, second, 1_500, 1_100)
      const healthy = await makeWebhook(store, tenant)
      await acceptCalls(2, 4, 1_500)
      const claimed = await claimDue(store, { now: 1_500, limit: 10, troubledLimit: 0 })
      expect(new Set(claimed.leases.map((l) => l.webhook.id))).toEqual(new Set([healthy.id]))
      // The lane that is left out is due, but nothing to wake up for.
      expect(claimed.nextDue).toBeNull()
      const one = await claimDue(store, { now: 1_500, limit: 10, troubledLimit: 1 })
      expect(one.leases.map((l) => [l.webhook.id, l.webhook.troubled])).toEqual([[sick.id, true]])
    })

    test('first tries go before retries', async () => {
      await makeWebhook(store, tenant, { concurrency: 1 })
      const [old] = await acceptCalls(0, 1)
      await failUntil(store, only((await claim(store, 1_000)).leases), 1_200, 1_100)
      const [fresh] = await acceptCalls(1, 2, 1_300)
      const first = only((await claim(store, 1_300)).leases)
      expect(first.event.id).toBe(fresh?.id)
      await succeed(store, first, 1_400)
      expect(only((await claim(store, 1_400)).leases)).toMatchObject({
        attempts: 1,
        event: { id: old?.id },
      })
    })

    test('delays and retries rest until they are due', async () => {
      await makeWebhook(store, tenant, { delay_seconds: 2 })
      await acceptCalls(0, 1)
      expect(await claim(store, 2_999)).toEqual({ leases: [], nextDue: 3_000 })
      const lease = only((await claim(store, 3_000)).leases)
      expect(await failUntil(store, lease, 8_000, 3_100)).toBe(true)
      expect(await nextDueAt(store)).toBe(8_000)
      expect((await claim(store, 7_999)).leases).toEqual([])
      expect(only((await claim(store, 8_000)).leases).attempts).toBe(1)
    })

    test('an attempt is written down with its delivery, and only once', async () => {
      const { id } = tenant.account
      await makeWebhook(store, tenant)
      const [event] = await acceptCalls(0, 1)
      const lease = only((await claim(store, 1_000)).leases)
      await failUntil(store, lease, 5_000, 1_100)
      expect(await succeed(store, lease, 1_200)).toBe(false)
      const [delivery] = (await listDeliveries(store, id, {}, { limit: 10 })).items
      expect(delivery).toMatchObject({
        state: 'pending',
        attempts: 1,
        due_at: '1970-01-01T00:00:05.000Z',
      })
      await giveUp(store, only((await claim(store, 5_000)).leases), null, 5_100)
      const attempts = await listAttempts(store, id, delivery?.id ?? '', { limit: 1 })
      expect(attempts?.items).toMatchObject([{ number: 2, ok: false, decision: 'Given up.' }])
      const rest = { limit: 1, cursor: attempts?.next_cursor ?? '' }
      const older = await listAttempts(store, id, delivery?.id ?? '', rest)
      expect(older?.items).toMatchObject([
        {
          number: 1,
          delivery_id: delivery?.id,
          webhook_id: delivery?.webhook_id,
          event_id: event?.id,
          resend: 0,
          started_at: '1970-01-01T00:00:01.100Z',
          duration_ms: 7,
          timings: { dns_ms: null, connect_ms: 1, tls_ms: null, first_byte_ms: 7 },
          ok: false,
          status_code: 500,
          error: 'status',
          error_detail: 'The receiver answered 500.',
          remote_address: '127.0.0.1',
          http_version: '1.1',
          method: 'POST',
          url: 'http://127.0.0.1:9/',
          request_headers: { 'content-type': 'application/json' },
          response_headers: {},
          response_body: 'answer',
          response_truncated: false,
          next_try_at: '1970-01-01T00:00:05.000Z',
          decision: 'Tried again.',
        },
      ])
      expect(JSON.parse(older?.items[0]?.request_body ?? '')).toEqual(event)
      expect(older?.next_cursor).toBeNull()
      expect(await getDelivery(store, id, delivery?.id ?? '')).toMatchObject({
        state: 'exhausted',
        due_at: null,
        finished_at: '1970-01-01T00:00:05.100Z',
      })
    })

    test('an attempt whose answer breaks every rule is kept', async () => {
      await makeWebhook(store, tenant)
      await acceptCalls(0, 1)
      const lease = only((await claim(store, 1_000)).leases)
      const finish = finishOf(lease, 200, { state: 'delivered', decision: 'Delivered.' }, 1_100)
      const responseBody = 'a\0b\ud800"\\\n'
      const outcome = {
        ...finish.attempt.outcome,
        responseBody,
        responseHeaders: { 'x-ünï"': "'; --" },
      }
      await finishAttempt(store, { ...finish, attempt: { ...finish.attempt, outcome } })
      const page = await listAttempts(store, tenant.account.id, 'dlv_0000000001', { limit: 1 })
      expect(page?.items[0]?.response_body).toBe('a\ufffdb\ufffd"\\\n')
      expect(page?.items[0]?.response_headers).toEqual({ 'x-ünï"': "'; --" })
    })

    describe('order of a call', () => {
      test('first tries go one after the other, other calls beside them', async () => {
        await makeWebhook(store, tenant)
        const [a1, a2, a3] = [1, 2, 3].map((n) => callEvent(tenant, 'a', n))
        const b1 = callEvent(tenant, 'b', 1)
        if (!a1 || !a2 || !a3) throw new Error('no events')
        await accept(store, tenant, [a1, a2, b1])
        await accept(store, tenant, [a3])
        const first = await claim(store, 1_000)
        expect(eventIdsOf(first)).toEqual([a1.id, b1.id])
        expect((await claim(store, 1_000)).leases).toEqual([])
        expect(await nextDueAt(store)).toBeNull()
        const [leaseA] = first.leases
        if (leaseA === undefined) throw new Error('no lease')
        // The first one fails: its retry holds nobody up.
        await failUntil(store, leaseA, 60_000, 1_100)
        expect(eventIdsOf(await claim(store, 1_100))).toEqual([a2.id])
      })

      test('a lease that ran out is first again', async () => {
        await makeWebhook(store, tenant)
        const [a1, a2] = [callEvent(tenant, 'a', 1), callEvent(tenant, 'a', 2)]
        await accept(store, tenant, [a1, a2])
        await claim(store, 1_000)
        await reapLeases(store, [], hour)
        expect(eventIdsOf(await claim(store, hour))).toEqual([a1.id])
      })

      test('a cancelled one lets the next go', async () => {
        await makeWebhook(store, tenant, { delay_seconds: 1 })
        const [a1, a2] = [callEvent(tenant, 'a', 1), callEvent(tenant, 'a', 2)]
        await accept(store, tenant, [a1, a2])
        const { id } = tenant.account
        expect(await cancelDelivery(store, id, 'dlv_0000000001', 1_500)).toBe('cancelled')
        expect(eventIdsOf(await claim(store, 2_000))).toEqual([a2.id])
        expect(await cancelDelivery(store, id, 'dlv_0000000001', 1_500)).toBe('cancelled')
        expect(await cancelDelivery(store, id, 'dlv_0000000002', 1_500)).toBe('not_waiting')
        expect(await cancelDelivery(store, id, 'dlv_0000000003', 1_500)).toBeNull()
      })

      test('none: all at once', async () => {
        await makeWebhook(store, tenant, { order: 'none' })
        await accept(
          store,
          tenant,
          [1, 2, 3].map((n) => callEvent(tenant, 'a', n)),
        )
        expect((await claim(store, 1_000)).leases).toHaveLength(3)
      })
    })

    test('deliveries are found by webhook, state, type, call and time', async () => {
      const { account } = tenant
      const one = await makeWebhook(store, tenant, { order: 'none' })
      await makeWebhook(store, tenant, { order: 'none' })
      const [a] = await acceptCalls(0, 2, 1_000)
      await acceptCalls(2, 3, 5_000)
      const count = async (filter: Parameters<typeof listDeliveries>[2]) =>
        (await listDeliveries(store, account.id, filter, { limit: 50 })).items.length
      for (const lease of (await claim(store, 1_000)).leases.slice(0, 3)) {
        await succeed(store, lease, 1_000)
      }
      expect(await count({})).toBe(6)
      expect(await count({ webhookId: one.id })).toBe(3)
      expect(await count({ state: 'delivered' })).toBe(3)
      expect(await count({ state: 'leased' })).toBe(1)
      expect(await count({ state: 'pending' })).toBe(2)
      expect(await count({ state: 'exhausted' })).toBe(0)
      expect(await count({ eventType: 'call.inbound.received', since: 5_000 })).toBe(2)
      expect(await count({ until: 5_000 })).toBe(4)
      expect(await count({ callUuid: a && 'call' in a ? a.call.uuid : '' })).toBe(2)
    })

    test.each(['first_try', 'strict'] as const)(
      'any mix of accepting, claiming, failing, waiting, reaping and switching loses and doubles nothing: %s',
      async (order) => {
        await fc.assert(
          fc.asyncProperty(engineSteps, async (steps) => await playEngine(store, order, steps)),
          { numRuns: 40, interruptAfterTimeLimit: 15_000 },
        )
      },
    )
  })
}
