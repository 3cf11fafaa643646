/** Filters where events are accepted, where they are replayed, and in "why did this not fire?". */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { noFilters } from '#contracts/webhook/filters.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { explainEvent } from '#server/store/explain.ts'
import { beginReplay, replayStep } from '#server/store/replay-missing.ts'
import { changeService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { changeWebhook } from '#server/store/webhooks.ts'
import { accept, makeTenant, makeWebhook, type Tenant } from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

export function runFilterConformance(open: OpenTestStore): void {
  describe('filters', () => {
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

    /** The end of a call that was in that queue. */
    const endOf = (call: string, queue: string | null): Event => {
      const sample = eventSamples['call.ended']
      const uuid = namedUuid(tenant.serviceUuid, call)
      return {
        ...sample,
        id: `evt_${uuid.replaceAll('-', '')}`,
        account: { ...tenant.account },
        service: { ...sample.service, uuid: tenant.serviceUuid },
        call: { ...sample.call, uuid },
        queue: queue === null ? null : { name: queue },
      }
    }
    const deliveredTo = async (webhookId: string) => {
      const { items } = await listDeliveries(store, account, { webhookId }, { limit: 50 })
      return items.map((delivery) => delivery.event_id).toSorted()
    }
    const ids = (...events: readonly Event[]) => events.map((event) => event.id).toSorted()
    const wanting = async (queues: string[]) =>
      await makeWebhook(store, tenant, {
        triggers: ['call.ended'],
        filters: { ...noFilters, queues },
      })

    test('each webhook gets what its filters let through, in one transaction', async () => {
      const [sales, support] = [endOf('a', 'sales'), endOf('b', 'support')]
      const both = await makeWebhook(store, tenant, { triggers: ['call.ended'] })
      const one = await wanting(['sales'])
      const other = await wanting(['support', 'billing'])
      const direct = endOf('c', null)
      await accept(store, tenant, [sales, support, direct])
      expect(await deliveredTo(both.id)).toEqual(ids(sales, support, direct))
      expect(await deliveredTo(one.id)).toEqual(ids(sales))
      expect(await deliveredTo(other.id)).toEqual(ids(support))
      const found = await explainEvent(store, account, direct.id, { limit: 9 }, 2_000)
      const says = new Map(found?.verdicts.items.map((v) => [v.webhook_id, v]))
      expect(says.get(other.id)).toMatchObject({
        code: 'filtered',
        by_present_settings: false,
        says: 'A filter of the webhook stopped it. The filter on queues wants support, billing; the call was in none.',
      })
    })

    test('a change counts for what is accepted after it, and for what is replayed', async () => {
      const { id } = await wanting(['sales'])
      const before = endOf('a', 'support')
      await accept(store, tenant, [before], 1_000)
      await changeWebhook(store, account, id, { filters: { ...noFilters, queues: ['support'] } }, 2)
      const after = endOf('b', 'support')
      const never = endOf('c', 'sales')
      await accept(store, tenant, [after, never], 2_000)
      expect(await deliveredTo(id)).toEqual(ids(after))
      const period = { since: 0, until: Number.MAX_SAFE_INTEGER }
      const replay = await beginReplay(store, { accountId: account, webhookId: id, ...period })
      if (replay === null) throw new Error('there is no account')
      await replayStep(store, replay, { after: 0, startedAt: 9_000 }, 100, 9_000)
      expect(await deliveredTo(id)).toEqual(ids(before, after))
    })

    test('numbers are read by the country of the service', async () => {
      const { id } = await makeWebhook(store, tenant, {
        triggers: ['call.ended'],
        filters: { ...noFilters, numbers: ['(02) 8888 1234'] },
      })
      const [nowhere, here] = [endOf('a', null), endOf('b', null)]
      await accept(store, tenant, [nowhere])
      await changeService(store, account, tenant.serviceUuid, { country: 'AU' }, 1_500)
      await accept(store, tenant, [here])
      expect(await deliveredTo(id)).toEqual(ids(here))
    })

    test('a picked up call is answered for those that count it', async () => {
      const sample = eventSamples['call.inbound.answered']
      const event: Event = {
        ...sample,
        account: { ...tenant.account },
        service: { ...sample.service, uuid: tenant.serviceUuid },
        call: { ...sample.call, via: 'pickup' },
      }
      const triggers = ['call.inbound.answered' as const]
      const strict = await makeWebhook(store, tenant, { triggers })
      const counting = await makeWebhook(store, tenant, { triggers, count_pickups: true })
      await accept(store, tenant, [event])
      expect(await deliveredTo(strict.id)).toEqual([])
      expect(await deliveredTo(counting.id)).toEqual([event.id])
      const found = await explainEvent(store, account, event.id, { limit: 9 }, 2_000)
      const verdict = found?.verdicts.items.find((v) => v.webhook_id === strict.id)
      expect(verdict).toMatchObject({ code: 'picked_up', by_present_settings: false })
    })
  })
}
