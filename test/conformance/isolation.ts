/** What keeps a receiver in trouble from troubling others, and others from troubling it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NextState } from '#server/domain/next-state.ts'
import type { Step } from '#server/store/bulk.ts'
import { claimDue, type Lease, nextDueAt } from '#server/store/claim.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { enableDisabledStep } from '#server/store/enable-disabled.ts'
import { listEvents } from '#server/store/events.ts'
import { finishAttempt } from '#server/store/finish.ts'
import { reapLeases, returnLeases } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import { changeWebhook, getWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
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

const second = 1_000
const day = 86_400_000

export function runIsolationConformance(open: OpenTestStore): void {
  describe('isolation', () => {
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
    const breaker = async (id: string) =>
      (await getWebhook(store, tenant.account.id, id))?.breaker ?? null
    /** A probe that failed, as the deliverer writes it down. */
    const failProbe = async (lease: Lease, now: number, disableAfterMs: number | null = null) => {
      const next = { state: 'pending', dueAt: now, decision: 'A probe.', counts: false } as const
      return await finishAttempt(store, { ...finishOf(lease, 500, next, now), disableAfterMs })
    }
    /** A webhook whose breaker has opened at 2 s, with `waiting` deliveries beside the five that failed. */
    const openBreaker = async (waiting: number) => {
      const webhook = await makeWebhook(store, tenant)
      await acceptCalls(0, 5 + waiting)
      for (const lease of (await claim(store, 1_000)).leases) {
        await failUntil(store, lease, 2_000, 2_000)
      }
      return webhook
    }
    const only = (leases: readonly Lease[]): Lease => {
      if (leases[0] === undefined || leases.length > 1) throw new Error(`${leases.length} leases`)
      return leases[0]
    }

    describe('circuit breaker', () => {
      test('five failures in a row stop the webhook and no other; what waits is held and says why', async () => {
        const { id } = await openBreaker(3)
        const shown = await breaker(id)
        expect(shown).toMatchObject({
          state: 'open',
          failures: 5,
          failing_since: '1970-01-01T00:00:02.000Z',
          reason: '5 attempts in a row failed. The last one: The receiver answered 500.',
        })
        const probeAt = Date.parse(shown?.next_probe_at ?? '')
        expect(probeAt).toBeGreaterThanOrEqual(2_000 + 4 * second)
        expect(probeAt).toBeLessThanOrEqual(2_000 + 6 * second)
        expect(await claim(store, probeAt - 1)).toEqual({ leases: [], nextDue: probeAt })

        const other = await makeWebhook(store, tenant)
        await acceptCalls(10, 12, 2_100)
        const claimed = await claim(store, 2_100)
        expect(claimed.leases.map((l) => l.webhook.id)).toEqual([other.id, other.id])
        // What came since does not bring the open lane forward.
        expect(claimed.nextDue).toBe(probeAt)

        const page = { limit: 50 }
        const held = await listDeliveries(
          store,
          tenant.account.id,
          { webhookId: id, state: 'held' },
          page,
        )
        expect(held.items).toHaveLength(10)
        for (const delivery of held.items) {
          expect(delivery).toMatchObject({ held_because: 'breaker_open', due_at: null })
        }
        const pending = { webhookId: id, state: 'pending' } as const
        expect((await listDeliveries(store, tenant.account.id, pending, page)).items).toEqual([])
        expect(await countDeliveries(store, tenant.account.id, id)).toMatchObject({
          held: 10,
          pending: 0,
        })
      })

      test('after the pause ONE probe goes, a first try; it closes the breaker and all go out', async () => {
        const { id } = await openBreaker(20)
        const { leases } = await claim(store, 9_000)
        const probe = only(leases)
        expect(probe).toMatchObject({ attempts: 0, webhook: { probe: true, troubled: true } })
        expect(await breaker(id)).toMatchObject({ state: 'half_open', next_probe_at: null })
        expect(await claim(store, 9_000)).toEqual({ leases: [], nextDue: null })
        await acceptCalls(50, 51, 9_100)
        expect(await claim(store, 9_100)).toEqual({ leases: [], nextDue: null })
        await succeed(store, probe, 9_200)
        expect(await breaker(id)).toEqual({
          state: 'closed',
          reason: null,
          failures: 0,
          failing_since: null,
          next_probe_at: null,
        })
        const next = await claim(store, 9_200)
        expect(next.leases).toHaveLength(5)
        expect(next.leases.every((l) => !l.webhook.probe && l.attempts === 0)).toBe(true)
      })

      test('a probe that fails costs its delivery no try, and the next pause is longer', async () => {
        const { id } = await openBreaker(1)
        const probe = only((await claim(store, 9_000)).leases)
        await failProbe(probe, 9_000)
        const shown = await breaker(id)
        expect(shown).toMatchObject({ state: 'open', failures: 6 })
        const pause = Date.parse(shown?.next_probe_at ?? '') - 9_000
        expect(pause).toBeGreaterThanOrEqual(8 * second)
        expect(pause).toBeLessThanOrEqual(12 * second)
        const again: Lease[] = []
        for (let now = 30_000; again.length < 6; now += 600_000) {
          const lease = only((await claim(store, now)).leases)
          again.push(lease)
          await failProbe(lease, now)
        }
        const same = again.filter((lease) => lease.deliverySeq === probe.deliverySeq)
        for (const lease of same) expect(lease.roundAttempts).toBe(0)
        // The others had one try, and the probes have not added to it.
        expect(new Set(again.map((l) => l.roundAttempts))).toEqual(new Set([0, 1]))
      })

      test('what was under way when it opened ends first, and extends no pause', async () => {
        const { id } = await makeWebhook(store, tenant, { concurrency: 8 })
        await acceptCalls(0, 12)
        const { leases } = await claim(store, 1_000)
        for (const lease of leases.slice(0, 5)) await failUntil(store, lease, 2_000, 2_000)
        const before = await breaker(id)
        await failUntil(store, leases[5] as Lease, 3_000, 3_000)
        expect(await breaker(id)).toEqual({ ...before, failures: 6 })
        // Two are still under way.
        expect(await claim(store, 60_000)).toEqual({ leases: [], nextDue: null })
        await failUntil(store, leases[6] as Lease, 60_000, 60_000)
        expect((await claim(store, 60_000)).leases).toEqual([])
        await failUntil(store, leases[7] as Lease, 61_000, 61_000)
        expect((await claim(store, 61_000)).leases).toHaveLength(1)
      })

      test('a refused event does not open it, twenty do', async () => {
        const { id } = await makeWebhook(store, tenant, { concurrency: 30, retries: 0 })
        await acceptCalls(0, 20)
        const { leases } = await claim(store, 1_000)
        const refuse = async (lease: Lease) => {
          const next = { state: 'exhausted', decision: 'Given up.', disableWebhook: null } as const
          await finishAttempt(store, finishOf(lease, 400, next, 2_000))
        }
        for (const lease of leases.slice(0, 19)) await refuse(lease)
        expect(await breaker(id)).toMatchObject({ state: 'closed', failures: 19 })
        await refuse(leases[19] as Lease)
        expect(await breaker(id)).toMatchObject({ state: 'open', failures: 20 })
      })

      test('a process that dies with the probe leaves the way free for the next one', async () => {
        const { id } = await openBreaker(3)
        only((await claim(store, 9_000)).leases)
        const later = 9_000 + day
        await reapLeases(store, [], later)
        expect(await breaker(id)).toMatchObject({ state: 'half_open' })
        const probe = only((await claim(store, later)).leases)
        await returnLeases(store, [probe], later, later + 5_000)
        const next = only((await claim(store, later)).leases)
        expect(next.deliverySeq).not.toBe(probe.deliverySeq)
      })

      test('enabling, or another URL, lets it begin anew at once', async () => {
        const { id } = await openBreaker(3)
        const { account } = tenant
        await setWebhookEnabled(store, account.id, id, true, 2_100)
        expect(await breaker(id)).toMatchObject({ state: 'closed', failures: 0 })
        const { leases } = await claim(store, 2_100)
        expect(leases).toHaveLength(5)
        for (const lease of leases) await failUntil(store, lease, 2_200, 2_200)
        expect(await breaker(id)).toMatchObject({ state: 'open' })
        await changeWebhook(store, account.id, id, { name: 'renamed' }, 2_300)
        expect(await breaker(id)).toMatchObject({ state: 'open' })
        expect((await claim(store, 2_300)).leases).toEqual([])
        await changeWebhook(store, account.id, id, { url: 'http://127.0.0.1:10/' }, 2_300)
        expect((await claim(store, 2_300)).leases).toHaveLength(5)
      })
    })

    describe('rate limit', () => {
      test('is exact over time, and a burst is a tenth of a second', async () => {
        await makeWebhook(store, tenant, { rate_limit: 20, concurrency: 100 })
        await acceptCalls(0, 200)
        const sent: number[] = []
        let now = 1_000
        while (sent.length < 200) {
          const { leases, nextDue } = await claim(store, now)
          for (const lease of leases) {
            sent.push(now)
            await succeed(store, lease, now)
          }
          expect(nextDue).not.toBeNull()
          const at = (await nextDueAt(store)) ?? now + 1
          now = Math.max(at, now + 1)
        }
        expect(sent.filter((at) => at === 1_000)).toHaveLength(2)
        // 20 ms of the next one had been earned; then one every 50 ms.
        expect(sent.slice(2)).toEqual(sent.slice(2).map((_, i) => 1_030 + i * 50))
        for (const first of sent) {
          const within = sent.filter((at) => at >= first && at < first + 1_000).length
          expect(within).toBeLessThanOrEqual(22)
        }
      })

      test('holds nobody else up, and does not come between a claim and its sleep', async () => {
        const slow = await makeWebhook(store, tenant, { rate_limit: 1 })
        const other = await makeWebhook(store, tenant)
        await acceptCalls(0, 3)
        const { leases, nextDue } = await claim(store, 1_000)
        const of = (id: string) => leases.filter((l) => l.webhook.id === id).length
        expect([of(slow.id), of(other.id)]).toEqual([1, 3])
        expect(nextDue).toBe(1_980)
        expect(await claim(store, 1_979)).toEqual({ leases: [], nextDue: 1_980 })
        expect((await claim(store, 1_980)).leases).toHaveLength(1)
      })

      test('can be lifted and set', async () => {
        const { id } = await makeWebhook(store, tenant, { rate_limit: 1, concurrency: 50 })
        await acceptCalls(0, 10)
        expect((await claim(store, 1_000)).leases).toHaveLength(1)
        const { account } = tenant
        const lifted = await changeWebhook(store, account.id, id, { rate_limit: null }, 1_100)
        expect(lifted?.rate_limit).toBeNull()
        expect((await claim(store, 1_100)).leases).toHaveLength(9)
        await acceptCalls(10, 20, 1_200)
        await changeWebhook(store, account.id, id, { rate_limit: 30 }, 1_200)
        expect((await claim(store, 1_200)).leases).toHaveLength(3)
      })
    })

    describe('automatic disable', () => {
      test('after the time of nothing but failures: told, held, and sent when it is enabled', async () => {
        const { account } = tenant
        const { id } = await openBreaker(1)
        const watcher = await makeWebhook(store, tenant, { triggers: ['webhook.disabled'] })
        const early = only((await claim(store, 2_000 + 5 * day - second)).leases)
        await failProbe(early, 2_000 + 5 * day - 1, 5 * day)
        expect(await getWebhook(store, account.id, id)).toMatchObject({ enabled: true })
        const late = only((await claim(store, 2_000 + 5 * day + 600_000)).leases)
        await failProbe(late, 2_000 + 5 * day + 600_000, 5 * day)
        expect(await getWebhook(store, account.id, id)).toMatchObject({
          enabled: false,
          disabled_reason: 'failing',
        })
        const told = await listEvents(store, account.id, { type: 'webhook.disabled' }, { limit: 9 })
        expect(told.items).toMatchObject([{ webhook: { id, reason: 'failing' } }])
        const now = 6 * day
        await acceptCalls(20, 22, now)
        const claimed = await claim(store, now)
        expect(claimed.leases.map((l) => l.webhook.id)).toEqual([watcher.id])
        const held = { webhookId: id, state: 'held' } as const
        const { items } = await listDeliveries(store, account.id, held, { limit: 50 })
        expect(items).toHaveLength(8)
        expect(items.every((d) => d.held_because === 'webhook_disabled')).toBe(true)
        await setWebhookEnabled(store, account.id, id, true, now)
        expect((await claim(store, now)).leases).toHaveLength(5)
      })

      test('never, where the setting says so', async () => {
        const { id } = await openBreaker(1)
        const lease = only((await claim(store, 900 * day)).leases)
        await failProbe(lease, 900 * day, null)
        expect(await getWebhook(store, tenant.account.id, id)).toMatchObject({ enabled: true })
      })

      test('is told each time', async () => {
        const { account } = tenant
        const { id } = await makeWebhook(store, tenant)
        for (const now of [1_000, 9_000]) {
          await acceptCalls(now, now + 1, now)
          const { leases } = await claim(store, now)
          await giveUp(store, leases[0] as Lease, 'gone', now)
          await setWebhookEnabled(store, account.id, id, true, now)
        }
        const told = await listEvents(store, account.id, { type: 'webhook.disabled' }, { limit: 9 })
        expect(told.items).toHaveLength(2)
      })

      test('enabled in bulk are those that were disabled automatically, and only those of the account', async () => {
        const { account } = tenant
        const webhooks = await Promise.all(
          Array.from({ length: 7 }, () => makeWebhook(store, tenant)),
        )
        const foreign = await makeWebhook(store, await makeTenant(store))
        await acceptCalls(0, 1)
        const { leases } = await claim(store, 1_000)
        for (const lease of leases.slice(0, 5)) await giveUp(store, lease, 'gone', 1_100)
        const gone = new Set(leases.slice(0, 5).map((lease) => lease.webhook.id))
        const byUser = webhooks.find((w) => !gone.has(w.id))?.id ?? ''
        await setWebhookEnabled(store, account.id, byUser, false, 1_200)
        await setWebhookEnabled(store, account.id, foreign.id, false, 1_200)
        await acceptCalls(1, 2, 1_300)
        const steps = []
        for (let after: number | null = 0; after !== null; ) {
          const walk = { startedAt: 2_000, after }
          const step: Step = await enableDisabledStep(store, account.id, walk, 2, 2_000)
          steps.push(step.changed)
          after = step.next
        }
        expect(steps).toEqual([2, 2, 1])
        const states = await Promise.all(
          webhooks.map((w) => getWebhook(store, account.id, w.id).then((x) => x?.enabled)),
        )
        expect(states.filter((on) => on)).toHaveLength(6)
        expect(await getWebhook(store, account.id, byUser)).toMatchObject({ enabled: false })
        const next = await claim(store, 2_000)
        for (const lease of leases.slice(0, 5)) {
          expect(next.leases.map((l) => l.webhook.id)).toContain(lease.webhook.id)
        }
      })

      test('enabled in bulk while their receivers refuse again, each is enabled once and the walk ends', async () => {
        const { account } = tenant
        for (let i = 0; i < 5; i += 1) await makeWebhook(store, tenant)
        const refuseAll = async (call: number) => {
          await acceptCalls(call, call + 1, 1_000 + call)
          const { leases } = await claim(store, 2_000)
          for (const lease of leases) await giveUp(store, lease, 'gone', 2_000)
        }
        await refuseAll(0)
        const steps: number[] = []
        for (let after: number | null = 0; after !== null && steps.length < 9; ) {
          const walk = { startedAt: 2_000, after }
          const step: Step = await enableDisabledStep(store, account.id, walk, 2, 2_000)
          steps.push(step.changed)
          await refuseAll(steps.length)
          after = step.next
        }
        expect(steps).toEqual([2, 2, 1])
      })
    })

    describe('first tries and later ones', () => {
      test('a thousand due retries of a webhook hold up none of its first tries', async () => {
        await makeWebhook(store, tenant, { concurrency: 100, order: 'none', retries: 9 })
        await acceptCalls(0, 400)
        // Successes between them keep the breaker closed.
        for (let round = 0; round < 4; round += 1) {
          const { leases } = await claim(store, 1_000, 100)
          const ends = leases.map((lease, i) =>
            i % 4 === 3
              ? () => succeed(store, lease, 1_000)
              : () => failUntil(store, lease, 1_100, 1_000),
          )
          for (const end of ends) await end()
        }
        const fresh = await acceptCalls(400, 410, 50_000)
        const { leases } = await claim(store, 50_000, 10)
        expect(eventIdsOf({ leases, nextDue: null }).toSorted()).toEqual(
          fresh.map((e) => e.id).toSorted(),
        )
        expect((await claim(store, 50_000, 10)).leases.every((l) => l.attempts === 1)).toBe(true)
      })

      test('many failing webhooks have their share of the slots at most, the healthy the rest', async () => {
        const sick = await Promise.all(
          Array.from({ length: 6 }, () => makeWebhook(store, tenant, { order: 'none' })),
        )
        await acceptCalls(0, 10)
        for (let i = 0; i < sick.length; i += 1) {
          const { leases } = await claim(store, 1_000, 4)
          for (const lease of leases) await failUntil(store, lease, 1_100, 1_050)
        }
        const healthy = await makeWebhook(store, tenant, { order: 'none', concurrency: 10 })
        await acceptCalls(10, 30, 2_000)
        const { leases } = await claimDue(store, { now: 2_000, limit: 16, troubledLimit: 8 })
        const isWell = (lease: Lease) => lease.webhook.id === healthy.id
        expect(leases.filter((l) => !isWell(l))).toHaveLength(8)
        const more = await claimDue(store, { now: 2_000, limit: 16, troubledLimit: 0 })
        expect(more.leases.every(isWell)).toBe(true)
        expect([...leases, ...more.leases].filter(isWell)).toHaveLength(10)
      })

      test('slow webhooks share that half, and do not stand before the others in the line', async () => {
        const slow = await Promise.all(
          Array.from({ length: 40 }, () => makeWebhook(store, tenant, { order: 'none' })),
        )
        await acceptCalls(0, 1)
        const { leases: first } = await claim(store, 1_000)
        const more = await claim(store, 1_001)
        for (const lease of [...first, ...more.leases]) {
          const next: NextState = { state: 'delivered', decision: 'Delivered.' }
          const { attempt, ...rest } = finishOf(lease, 200, next, 1_100)
          const outcome = { ...attempt.outcome, durationMs: 14_000 }
          await finishAttempt(store, { ...rest, attempt: { ...attempt, outcome } })
        }
        await acceptCalls(1, 3, 2_000)
        const healthy = await makeWebhook(store, tenant, { order: 'none' })
        await acceptCalls(3, 5, 2_500)
        const some = await claimDue(store, { now: 2_500, limit: 16, troubledLimit: 8 })
        expect(some.leases).toHaveLength(8)
        expect(some.leases.every((lease) => lease.webhook.troubled)).toBe(true)
        // More of them are due than a claim looks at: each is passed over once, and then it is the healthy one's turn.
        const found: Lease[] = []
        for (let i = 0; i < 3 && found.length === 0; i += 1) {
          const { leases } = await claimDue(store, { now: 2_500, limit: 16, troubledLimit: 0 })
          found.push(...leases)
        }
        expect(found.map((lease) => lease.webhook.id)).toEqual([healthy.id, healthy.id])
        expect(await nextDueAt(store)).toBe(3_000)
        const later = await claimDue(store, { now: 3_000, limit: 16, troubledLimit: 8 })
        expect(later.leases.filter((lease) => lease.webhook.id !== healthy.id)).toHaveLength(8)
        expect(slow.map(({ id }) => id)).toContain(later.leases[0]?.webhook.id)
      })
    })
  })
}
