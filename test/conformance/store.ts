/** What every store must do, whatever database it is on: objects, events, searches. A store passes this and `queue.ts`, or is none. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acceptEvents } from '#server/store/accept.ts'
import { readCapture } from '#server/store/captures.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { getEvent, listEvents } from '#server/store/events.ts'
import { changeService, deleteService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { deleteWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
import { runExplainConformance } from '#test/conformance/explain.ts'
import { runFilterConformance } from '#test/conformance/filters.ts'
import {
  accept,
  acceptanceOf,
  callEvent,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { runNounConformance } from '#test/conformance/nouns.ts'
import { runObjectConformance } from '#test/conformance/objects.ts'
import { runRecoveryConformance } from '#test/conformance/recovery.ts'
import { runSearchConformance } from '#test/conformance/search.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'
import { runTlsConformance } from '#test/conformance/tls.ts'
import { runUserConformance } from '#test/conformance/users.ts'

export function runStoreConformance(name: string, open: OpenTestStore): void {
  describe(`store on ${name}`, () => {
    runNounConformance(open)
    runAcceptConformance(open)
    runSearchConformance(open)
    runRecoveryConformance(open)
    runExplainConformance(open)
    runFilterConformance(open)
    runTlsConformance(open)
    runUserConformance(open)
    runObjectConformance(open)
  })
}

function runAcceptConformance(open: OpenTestStore): void {
  describe('accept', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    test('events, deliveries, open calls and cursor are there together', async () => {
      await makeWebhook(store, tenant)
      const event = callEvent(tenant, 'a')
      const openCalls = { put: [{ key: 'a', json: '{"n":1}' }], delete: [] }
      const accepted = await acceptEvents(
        store,
        acceptanceOf(tenant, [event], { openCalls, cursor: '{"offset":7}' }),
      )
      expect(accepted).toEqual({ events: 1, duplicates: 0, deliveries: 1 })
      expect(await getEvent(store, tenant.account.id, event.id)).toEqual(event)
      expect(await readCapture(store, tenant.serviceUuid)).toEqual({
        cursor: '{"offset":7}',
        openCalls: [{ key: 'a', json: '{"n":1}' }],
      })
      const next = { put: [{ key: 'b', json: '2' }], delete: ['a', 'never there'] }
      await acceptEvents(store, acceptanceOf(tenant, [], { openCalls: next }))
      expect(await readCapture(store, tenant.serviceUuid)).toEqual({
        cursor: '{"offset":7}',
        openCalls: [{ key: 'b', json: '2' }],
      })
    })

    test('an event that is there already makes no second delivery', async () => {
      await makeWebhook(store, tenant)
      const [first, second] = [callEvent(tenant, 'a', 1), callEvent(tenant, 'a', 2)]
      await accept(store, tenant, [first])
      const again = await acceptEvents(store, acceptanceOf(tenant, [first, second, second]))
      expect(again).toEqual({ events: 1, duplicates: 2, deliveries: 1 })
      expect((await countDeliveries(store, tenant.account.id, null)).pending).toBe(2)
    })

    test('the same event of many callers at once is one', async () => {
      await makeWebhook(store, tenant)
      const all = await Promise.all(
        Array.from({ length: 20 }, () =>
          acceptEvents(store, acceptanceOf(tenant, [callEvent(tenant, 'a')])),
        ),
      )
      expect(all.reduce((sum, a) => sum + a.events, 0)).toBe(1)
      expect(all.reduce((sum, a) => sum + a.deliveries, 0)).toBe(1)
    })

    test('callers share commits, and one that fails takes nobody along', async () => {
      const others = await Promise.all(Array.from({ length: 10 }, () => makeTenant(store)))
      const gone = { account: tenant.account, serviceUuid: '00000000-0000-4000-8000-000000000000' }
      const results = await Promise.allSettled(
        [gone, ...others, gone].map(async (t, i) =>
          acceptEvents(store, acceptanceOf(t, [callEvent(t, `call ${i}`)], { cursor: `${i}` })),
        ),
      )
      expect(results.map((r) => r.status)).toEqual([
        'rejected',
        ...others.map(() => 'fulfilled'),
        'rejected',
      ])
      expect(results[0]).toMatchObject({ reason: { code: 'service_gone' } })
      for (const [i, other] of others.entries()) {
        expect(await readCapture(store, other.serviceUuid)).toMatchObject({ cursor: `${i + 1}` })
      }
      expect((await listEvents(store, tenant.account.id, {}, { limit: 10 })).items).toEqual([])
      expect((await readCapture(store, gone.serviceUuid)).cursor).toBeNull()
    })

    test('batches of one service are committed in the order in which they came', async () => {
      const cursors = Array.from({ length: 30 }, (_, i) => `${i}`)
      await Promise.all(
        cursors.map((cursor) => acceptEvents(store, acceptanceOf(tenant, [], { cursor }))),
      )
      expect((await readCapture(store, tenant.serviceUuid)).cursor).toBe('29')
    })

    test('a change of switch or webhook counts from the next event on', async () => {
      const { account, serviceUuid } = tenant
      const deliveriesOf = async (call: string) =>
        (await acceptEvents(store, acceptanceOf(tenant, [callEvent(tenant, call)]))).deliveries
      expect(await deliveriesOf('a')).toBe(0)
      const webhook = await makeWebhook(store, tenant)
      expect(await deliveriesOf('b')).toBe(1)
      await changeService(store, account.id, serviceUuid, { applications_enabled: false }, 1)
      expect(await deliveriesOf('c')).toBe(0)
      await changeService(store, account.id, serviceUuid, { applications_enabled: true }, 1)
      await setWebhookEnabled(store, account.id, webhook.id, false, 1)
      expect(await deliveriesOf('d')).toBe(0)
      await setWebhookEnabled(store, account.id, webhook.id, true, 1)
      expect(await deliveriesOf('e')).toBe(1)
      await deleteWebhook(store, account.id, webhook.id, 1)
      expect(await deliveriesOf('f')).toBe(0)
      await deleteService(store, account.id, serviceUuid, 1)
      await expect(deliveriesOf('g')).rejects.toMatchObject({ code: 'service_gone' })
    })

    test('events of one account fire no webhook of another', async () => {
      const other = await makeTenant(store)
      await makeWebhook(store, other)
      await accept(store, tenant, [callEvent(tenant, 'a')])
      expect((await listDeliveries(store, other.account.id, {}, { limit: 10 })).items).toEqual([])
    })

    test('hostile text comes back as it was', async () => {
      const event = callEvent(tenant, 'a')
      if (event.type !== 'call.inbound.received') throw new Error('not the sample')
      const name = `"'; drop table event; -- \\u0000 \u{1F4DE} Zoë {"a":[1]} %_`
      const hostile = { ...event, call: { ...event.call, source: { ...event.call.source, name } } }
      await accept(store, tenant, [hostile])
      expect(await getEvent(store, tenant.account.id, event.id)).toEqual(hostile)
    })
  })
}
