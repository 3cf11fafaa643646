/** Sending again, replaying, cancelling: in small steps, harmless to repeat, behind what is live. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { takeSteps } from '#server/pipeline/take-steps.ts'
import { type Step, type StepOf, walkCursor, walkOf } from '#server/store/bulk.ts'
import { cancelDelivery, cancelWaitingStep } from '#server/store/cancel.ts'
import { countDeliveries, getDelivery } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { beginReplay, replayStep } from '#server/store/replay-missing.ts'
import { recoverStep, resendDelivery } from '#server/store/resend.ts'
import { changeService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { changeWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
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

export function runRecoveryConformance(open: OpenTestStore): void {
  describe('recovery', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    let account: string
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
      account = tenant.account.id
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const acceptCalls = async (from: number, to: number, now = 1_000): Promise<Event[]> => {
      const calls = Array.from({ length: to - from }, (_, i) =>
        callEvent(tenant, `call ${from + i}`),
      )
      await accept(store, tenant, calls, now)
      return calls
    }
    /** Gives everything up that is due; the breaker is told that somebody looked after it. */
    const giveUpAll = async (now: number, ...webhookIds: readonly string[]) => {
      for (;;) {
        const { leases } = await claim(store, now)
        if (leases.length === 0) return
        for (const lease of leases) await giveUp(store, lease, null, now)
        for (const id of webhookIds) await setWebhookEnabled(store, account, id, true, now)
      }
    }
    const signal = new AbortController().signal
    const all = async (step: StepOf, startedAt: number, limit: number) => {
      let changed = 0
      for (let after: number | null = 0; after !== null; ) {
        const done = await step({ startedAt, after }, limit)
        changed += done.changed
        after = done.next
      }
      return changed
    }
    const count = async (webhookId: string) => await countDeliveries(store, account, webhookId)

    describe('resend', () => {
      test('a delivery goes out again with its event id, a new round of tries and its number', async () => {
        const { id } = await makeWebhook(store, tenant, { retries: 1 })
        const [event] = await acceptCalls(0, 1)
        const [first] = (await claim(store, 1_000)).leases
        if (first === undefined) throw new Error('no lease')
        await failUntil(store, first, 2_000, 1_100)
        const [second] = (await claim(store, 2_000)).leases
        if (second === undefined) throw new Error('no lease')
        await giveUp(store, second, null, 2_100)
        const delivery = 'dlv_0000000001'
        expect(await resendDelivery(store, account, delivery, 3_000)).toBe('resent')
        expect(await resendDelivery(store, account, delivery, 3_000)).toBe('under_way')
        expect(await getDelivery(store, account, delivery)).toMatchObject({
          state: 'pending',
          attempts: 2,
          resends: 1,
          finished_at: null,
        })
        const [again] = (await claim(store, 3_000)).leases
        expect(again).toMatchObject({
          attempts: 2,
          roundAttempts: 0,
          resends: 1,
          event: { id: event?.id },
        })
        expect(await resendDelivery(store, account, delivery, 3_000)).toBe('under_way')
        if (again !== undefined) await succeed(store, again, 3_100)
        expect(await resendDelivery(store, account, delivery, 4_000)).toBe('resent')
        expect(await getDelivery(store, account, delivery)).toMatchObject({ resends: 2 })
        expect(await count(id)).toMatchObject({ pending: 1, delivered: 0 })
      })

      test('what is not there, or another account’s, is not sent', async () => {
        await makeWebhook(store, tenant)
        await acceptCalls(0, 1)
        expect(await resendDelivery(store, account, 'dlv_0000000009', 1_000)).toBeNull()
        const other = await makeTenant(store)
        expect(await resendDelivery(store, other.account.id, 'dlv_0000000001', 1_000)).toBeNull()
      })

      test('of a disabled webhook it is held, and goes out when that is enabled', async () => {
        const { id } = await makeWebhook(store, tenant)
        await acceptCalls(0, 1)
        await giveUpAll(1_000, id)
        await setWebhookEnabled(store, account, id, false, 1_500)
        await resendDelivery(store, account, 'dlv_0000000001', 2_000)
        expect((await claim(store, 2_000)).leases).toEqual([])
        expect(await count(id)).toMatchObject({ held: 1 })
        await setWebhookEnabled(store, account, id, true, 3_000)
        expect((await claim(store, 3_000)).leases).toHaveLength(1)
      })

      test('while the breaker is open it is the next probe, at once', async () => {
        await makeWebhook(store, tenant, { retries: 0 })
        await acceptCalls(0, 5)
        for (const lease of (await claim(store, 1_000)).leases) {
          await giveUp(store, lease, null, 1_100)
        }
        await resendDelivery(store, account, 'dlv_0000000003', 1_200)
        const { leases } = await claim(store, 1_200)
        expect(leases).toMatchObject([{ deliverySeq: 3, webhook: { probe: true } }])
      })
    })

    describe('recover', () => {
      const recover = async (id: string, since: number, until: number, now: number, limit = 7) =>
        await all(
          async (walk, rows) => recoverStep(store, id, { since, until }, walk, rows, now),
          now,
          limit,
        )

      test('all that was given up in the period, each once, in steps; nothing else', async () => {
        const { id } = await makeWebhook(store, tenant, { order: 'none' })
        const other = await makeWebhook(store, tenant, { order: 'none' })
        await acceptCalls(0, 20, 1_000)
        await giveUpAll(1_100, id, other.id)
        await acceptCalls(20, 30, 5_000)
        await giveUpAll(5_000, id, other.id)
        expect(await count(id)).toMatchObject({ exhausted: 30 })
        await cancelDelivery(store, account, 'dlv_0000000001', 5_500)
        expect(await recover(id, 5_000, 5_000, 6_000)).toBe(0)
        expect(await recover(id, 5_000, 9_999, 6_000)).toBe(10)
        expect(await recover(id, 5_000, 9_999, 6_000)).toBe(0)
        expect(await count(id)).toMatchObject({ exhausted: 19, cancelled: 1, pending: 10 })
        expect(await recover(id, 0, 9_999, 6_500, 3)).toBe(19)
        expect(await count(other.id)).toMatchObject({ exhausted: 30 })
      })

      test('what fails again meanwhile is not recovered by the same walk', async () => {
        const { id } = await makeWebhook(store, tenant, { order: 'none' })
        await acceptCalls(0, 4)
        await giveUpAll(1_000, id)
        const step = async (after: number, limit = 2) =>
          await recoverStep(
            store,
            id,
            { since: 0, until: 99_999 },
            { startedAt: 2_000, after },
            limit,
            2_000,
          )
        const first = await step(0)
        expect(first).toEqual({ changed: 2, next: 2 })
        await giveUpAll(3_000, id)
        expect(await step(first.next ?? 0)).toEqual({ changed: 2, next: 4 })
        expect(await step(0, 9)).toEqual({ changed: 0, next: null })
      })

      test('waits behind what is live, however much it is', async () => {
        const { id } = await makeWebhook(store, tenant, { order: 'none', concurrency: 100 })
        await acceptCalls(0, 60)
        await giveUpAll(1_000, id)
        expect(await recover(id, 0, 99_999, 2_000, 50)).toBe(60)
        const live = await acceptCalls(60, 65, 9_000)
        const { leases } = await claim(store, 9_000, 5)
        expect(eventIdsOf({ leases, nextDue: null })).toEqual(live.map((e) => e.id))
      })

      test('goes out in the order of each call', async () => {
        const { id } = await makeWebhook(store, tenant)
        const a = [1, 2, 3].map((n) => callEvent(tenant, 'a', n))
        await accept(store, tenant, a)
        await giveUpAll(1_000, id)
        await recover(id, 0, 99_999, 2_000)
        const seen: (string | undefined)[] = []
        for (let i = 0; i < 3; i += 1) {
          const { leases } = await claim(store, 2_000 + i)
          expect(leases).toHaveLength(1)
          for (const lease of leases) {
            seen.push(lease.event.id)
            await succeed(store, lease, 2_000 + i)
          }
        }
        expect(seen).toEqual(a.map((e) => e.id))
      })

      test('a walk ends early and goes on where it was', async () => {
        const { id } = await makeWebhook(store, tenant, { order: 'none' })
        await acceptCalls(0, 300)
        await store.write
          .updateTable('delivery')
          .set({ state: 'exhausted', finished_at: 1_500, attempts: 1 })
          .execute()
        const step: StepOf = async (walk, rows) =>
          recoverStep(store, id, { since: 0, until: 99_999 }, walk, rows, 2_000)
        const begun = await takeSteps(step, walkOf('r', undefined, 2_000), { forMs: 0, signal })
        expect(begun.changed).toBe(200)
        if (begun.rest === null) throw new Error('it is over')
        const from = walkOf('r', walkCursor('r', begun.rest), 9_000)
        expect(from).toEqual({ startedAt: 2_000, after: 200 })
        expect(await takeSteps(step, from, { forMs: 1_000, signal })).toEqual({
          changed: 100,
          rest: null,
        })
        expect(() => walkOf('q', walkCursor('r', begun.rest ?? from), 9_000)).toThrow(/cursor/)
      })
    })

    describe('replay missing', () => {
      const replay = async (webhookId: string, since: number, until: number, now: number) => {
        const begun = await beginReplay(store, { accountId: account, webhookId, since, until })
        if (begun === null) throw new Error('no account')
        return await all(async (walk, rows) => replayStep(store, begun, walk, rows, now), now, 7)
      }
      /** All samples happened then. */
      const at = Date.parse(callEventTime())
      const ever = Number.MAX_SAFE_INTEGER

      test('what happened while it was disabled is delivered once, later than what is live', async () => {
        const { id } = await makeWebhook(store, tenant, { concurrency: 100 })
        await acceptCalls(0, 3, at)
        await setWebhookEnabled(store, account, id, false, at)
        const missed = await acceptCalls(3, 20, at + 1_000)
        await setWebhookEnabled(store, account, id, true, at + 2_000)
        await acceptCalls(20, 23, at + 3_000)
        expect(await count(id)).toMatchObject({ pending: 6 })
        expect(await replay(id, at, ever, at + 4_000)).toBe(17)
        expect(await replay(id, at, ever, at + 5_000)).toBe(0)
        const live = await claim(store, at + 5_000, 6)
        expect(live.leases.every((l) => !missed.some((e) => e.id === l.event.id))).toBe(true)
        const rest = await claim(store, at + 5_000)
        expect(eventIdsOf(rest).toSorted()).toEqual(missed.map((e) => e.id).toSorted())
        const made = await listDeliveries(store, account, { webhookId: id }, { limit: 50 })
        expect(made.items.filter((d) => d.origin === 'replay')).toHaveLength(17)
        expect(rest.leases.every((l) => l.resends === 0)).toBe(true)
      })

      test('two at the same time make each delivery once', async () => {
        await acceptCalls(0, 30, at)
        const { id } = await makeWebhook(store, tenant)
        const counts = await Promise.all([
          replay(id, at, ever, at + 1_000),
          replay(id, at, ever, at + 1_000),
          replay(id, at, ever, at + 1_000),
        ])
        expect(counts.reduce((sum, n) => sum + n, 0)).toBe(30)
        expect(await count(id)).toMatchObject({ pending: 30 })
      })

      test('only what matches now, happened in the period, and is the account’s own', async () => {
        await acceptCalls(0, 5, at)
        const { id } = await makeWebhook(store, tenant, { triggers: ['call.ended'] })
        expect(await replay(id, at, ever, at)).toBe(0)
        const triggers = { triggers: ['call.inbound.received' as const] }
        await changeWebhook(store, account, id, triggers, at)
        expect(await replay(id, at + 1, ever, at)).toBe(0)
        expect(await replay(id, 0, at, at)).toBe(0)
        const uuid = tenant.serviceUuid
        await changeService(store, account, uuid, { applications_enabled: false }, at)
        expect(await replay(id, at, ever, at)).toBe(0)
        await changeService(store, account, uuid, { applications_enabled: true }, at)
        await setWebhookEnabled(store, account, id, false, at)
        expect(await replay(id, at, ever, at)).toBe(0)
        await setWebhookEnabled(store, account, id, true, at)
        expect(await replay(id, at, at + 1, at)).toBe(5)
        const other = await makeTenant(store)
        const foreign = await makeWebhook(store, other)
        const begun = await beginReplay(store, {
          accountId: other.account.id,
          webhookId: foreign.id,
          since: 0,
          until: ever,
        })
        if (begun === null) throw new Error('no account')
        const walk = { startedAt: at, after: 0 }
        expect(await replayStep(store, begun, walk, 100, at)).toEqual({ changed: 0, next: null })
      })

      test('what a PBX stamped ahead of our clock, or a link kept back, belongs to the period too', async () => {
        const hour = 3_600_000
        // Accepted an hour before, and an hour after, it happened by the PBX's clock.
        await acceptCalls(0, 3, at - hour)
        await acceptCalls(3, 8, at + hour)
        const { id } = await makeWebhook(store, tenant)
        expect(await replay(id, at + 1, at + hour, at + 2 * hour)).toBe(0)
        expect(await replay(id, at + 1, at + 2 * hour, at + 2 * hour)).toBe(5)
        expect(await replay(id, at - 1, at + 1, at + 2 * hour)).toBe(3)
      })

      test('finds where the period begins among events of several days', async () => {
        for (let day = 0; day < 12; day += 1) {
          await acceptCalls(day * 3, day * 3 + 3, at + day * 86_400_000)
        }
        const { id } = await makeWebhook(store, tenant)
        const begun = await beginReplay(store, {
          accountId: account,
          webhookId: id,
          // The samples happened at `at`.
          since: at,
          until: ever,
        })
        if (begun === null) throw new Error('no account')
        const step = await replayStep(
          store,
          begun,
          { startedAt: at + 20 * 86_400_000, after: 0 },
          100,
          at,
        )
        expect(step).toEqual({ changed: 36, next: null })
      })

      test('finds the few among thousands of another account, in steps that look at so many', async () => {
        const other = await makeTenant(store)
        const foreign = Array.from({ length: 2_500 }, (_, i) => callEvent(other, `other ${i}`))
        await acceptCalls(0, 3, at)
        await accept(store, other, foreign, at)
        await acceptCalls(3, 7, at)
        const { id } = await makeWebhook(store, tenant)
        const begun = await beginReplay(store, {
          ...{ accountId: account, webhookId: id, since: at, until: ever },
        })
        if (begun === null) throw new Error('no account')
        const steps: number[] = []
        for (let after: number | null = 0; after !== null; ) {
          const step: Step = await replayStep(store, begun, { startedAt: at, after }, 2, at)
          steps.push(step.changed)
          after = step.next
        }
        expect(steps).toEqual([2, 1, 2, 2, 0])
      })
    })

    test('all of it at the same time as accepting, claiming and finishing: nobody waits for ever, nothing is doubled', async () => {
      const { id } = await makeWebhook(store, tenant, { concurrency: 50, order: 'strict' })
      await acceptCalls(0, 60)
      await giveUpAll(1_000, id)
      const ever = { since: 0, until: Number.MAX_SAFE_INTEGER }
      const replay = await beginReplay(store, { accountId: account, webhookId: id, ...ever })
      if (replay === null) throw new Error('no account')
      const sent = new Map<string, number>()
      const deliver = async () => {
        for (let i = 0; i < 12; i += 1) {
          const { leases } = await claim(store, 3_000, 10)
          await Promise.all(leases.map((lease) => succeed(store, lease, 3_000)))
          for (const { event } of leases) sent.set(event.id, (sent.get(event.id) ?? 0) + 1)
        }
      }
      const steps: readonly StepOf[] = [
        async (walk, rows) => recoverStep(store, id, ever, walk, rows, 3_000),
        async (walk, rows) => replayStep(store, replay, walk, rows, 3_000),
        async (walk, rows) => cancelWaitingStep(store, id, walk, rows, 3_000),
      ]
      await Promise.all([
        deliver(),
        deliver(),
        ...steps.map((step) => all(step, 3_000, 5)),
        ...[60, 70, 80].map((from) => acceptCalls(from, from + 10, 3_000)),
      ])
      await deliver()
      expect([...sent.values()].every((times) => times === 1)).toBe(true)
      const { delivered, cancelled, ...rest } = await count(id)
      expect(delivered + cancelled + rest.exhausted + rest.pending).toBe(90)
      expect(delivered).toBe(sent.size)
      expect(rest.leased).toBe(0)
    })

    describe('cancel', () => {
      test('everything that waited when it began, in steps; what is under way ends as it does', async () => {
        const { id } = await makeWebhook(store, tenant, { order: 'none' })
        const other = await makeWebhook(store, tenant, { order: 'none', delay_seconds: 60 })
        await acceptCalls(0, 20)
        const { leases } = await claim(store, 1_000)
        await acceptCalls(20, 23, 5_000)
        const cancelled = await all(
          async (walk, rows) => cancelWaitingStep(store, id, walk, rows, 4_000),
          4_000,
          6,
        )
        expect(cancelled).toBe(15)
        expect(await count(id)).toMatchObject({ cancelled: 15, leased: 5, pending: 3 })
        expect(await count(other.id)).toMatchObject({ pending: 23 })
        for (const lease of leases) await succeed(store, lease, 5_000)
        expect((await claim(store, 5_000)).leases).toHaveLength(3)
      })

      test('what is held can be cancelled too; what is delivered or under way not', async () => {
        const { id } = await makeWebhook(store, tenant, { concurrency: 1, order: 'none' })
        await acceptCalls(0, 3)
        const { leases } = await claim(store, 1_000)
        expect(await cancelDelivery(store, account, 'dlv_0000000001', 1_100)).toBe('not_waiting')
        for (const lease of leases) await succeed(store, lease, 1_100)
        expect(await cancelDelivery(store, account, 'dlv_0000000001', 1_100)).toBe('not_waiting')
        await setWebhookEnabled(store, account, id, false, 1_200)
        expect(await cancelDelivery(store, account, 'dlv_0000000002', 1_300)).toBe('cancelled')
        expect(await count(id)).toMatchObject({ held: 1, cancelled: 1, delivered: 1 })
      })
    })
  })
}

function callEventTime(): string {
  return callEvent({ account: { id: '', name: '' }, serviceUuid: '' } as Tenant, 'x').occurred_at
}
