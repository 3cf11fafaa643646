/** Webhook objects of the call flow: webhooks that a PBX document makes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Event, EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import { explainEvent } from '#server/store/explain.ts'
import { changePbxDocument, deleteService, getPbxDocument } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { listWebhooks } from '#server/store/webhook-list.ts'
import { readRequest } from '#server/store/webhook-requests.ts'
import { changeWebhook, deleteWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

const url = (name: string) => `http://127.0.0.1:9/${name}`

export function runObjectConformance(open: OpenTestStore): void {
  describe('Webhook objects of the call flow', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const put = async (objects: Readonly<Record<string, object | null>>, now = 1_000) => {
      const { account, serviceUuid } = tenant
      const document = PbxDocument.parse({
        name: 'pbx',
        components: Object.entries(objects).map(([name, webhook]) => ({
          ...{ name, webhook, next: { type: 'hangup' } },
        })),
      })
      return await changePbxDocument(store, account.id, serviceUuid, () => document, now)
    }
    const objects = async (): Promise<readonly Webhook[]> => {
      const { items } = await listWebhooks(store, tenant.account.id, {}, { limit: 100 })
      return items.filter(({ scope }) => scope === 'call_flow').toReversed()
    }
    const only = async (): Promise<Webhook> => {
      const [one, ...rest] = await objects()
      if (one === undefined || rest.length > 0) throw new Error('there is not one object')
      return one
    }
    /** A call passes the component; the event. */
    const pass = async (name: string): Promise<Event> => {
      const sample = eventSamples.webhook_component_event as EventOf<'webhook_component_event'>
      const { id, account, service, call } = callEvent(tenant, name) as EventOf<'call.ended'>
      const event = {
        ...sample,
        id,
        account,
        service,
        call,
        component: { ...sample.component, name },
      }
      await accept(store, tenant, [event])
      return event
    }

    test('the document makes, changes and removes them', async () => {
      const vip = { url: url('vip'), secret_token: 't0ken', headers: [{ name: 'X-A', value: '1' }] }
      await put({ vip, quiet: null })
      const made = await only()
      expect(made).toMatchObject({
        ...{ scope: 'call_flow', component: 'vip', name: 'vip', url: url('vip'), enabled: true },
        service_uuid: tenant.serviceUuid,
        triggers: ['webhook_component_event'],
        payload: { style: 'phone-cloud' },
        authentication: { type: 'pbx_token', token: '********' },
      })
      expect(await readRequest(store, made.id)).toMatchObject({
        authentication: { token: 't0ken' },
        headers: [{ name: 'X-A', value: '1' }],
      })
      const rows = await store.read.selectFrom('webhook').selectAll().execute()
      expect(JSON.stringify(rows)).not.toContain('t0ken')

      await put({ vip, quiet: { url: url('quiet') } }, 2_000)
      const [same, second] = await objects()
      expect(same).toEqual(made)
      expect(second).toMatchObject({ component: 'quiet', authentication: { type: 'none' } })

      await put({ vip: { ...vip, url: url('elsewhere'), secret_token: 'other' } }, 3_000)
      const changed = await only()
      expect(changed).toMatchObject({ id: made.id, url: url('elsewhere') })
      expect(await readRequest(store, made.id)).toMatchObject({
        authentication: { token: 'other' },
      })
      await put({ vip: null }, 4_000)
      expect(await objects()).toEqual([])
    })

    test('only the calls that pass it fire it, and the others say why', async () => {
      await put({ vip: { url: url('vip') }, lost: { url: url('lost') } })
      const [vip, lost] = await objects()
      const event = await pass('vip')
      await accept(store, tenant, [callEvent(tenant, 'another call')])
      const { leases } = await claim(store, 1_000)
      expect(leases.map(({ webhook }) => webhook.id)).toEqual([vip?.id])
      const explained = await explainEvent(store, tenant.account.id, event.id, { limit: 10 }, 2_000)
      const verdicts = explained?.verdicts.items ?? []
      expect(verdicts.find((one) => one.webhook_id === lost?.id)?.code).toBe('other_component')
      expect(leases[0]?.webhook.url).toBe(url('vip'))
    })

    test('a webhook for all of them still hears of all', async () => {
      await put({ vip: { url: url('vip') } })
      const all = await makeWebhook(store, tenant, { triggers: ['webhook_component_event'] })
      await pass('vip')
      await pass('without-webhook')
      const { leases } = await claim(store, 1_000)
      expect(leases.filter(({ webhook }) => webhook.id === all.id)).toHaveLength(2)
      expect(leases).toHaveLength(3)
    })

    test('how it is delivered is for anybody to set, what the document says is not', async () => {
      await put({ vip: { url: url('vip') } })
      const { id } = await only()
      const { account } = tenant
      expect(await changeWebhook(store, account.id, id, { retries: 7 }, 2_000)).toMatchObject({
        retries: 7,
      })
      for (const change of [{ url: url('x') }, { name: 'x' }, { headers: [] }]) {
        await expect(changeWebhook(store, account.id, id, change, 2_000)).rejects.toThrow(
          'is set in the PBX document',
        )
      }
      await expect(deleteWebhook(store, account.id, id, 2_000)).rejects.toMatchObject({
        code: 'made_by_call_flow',
      })
      await setWebhookEnabled(store, account.id, id, false, 2_000)
      await put({ vip: { url: url('moved') } }, 3_000)
      expect(await only()).toMatchObject({ id, retries: 7, enabled: false, url: url('moved') })
    })

    test('a document that is refused leaves them as they are; a deleted service takes them along', async () => {
      const { account, serviceUuid } = tenant
      await put({ vip: { url: url('vip') } })
      const refused = changePbxDocument(
        store,
        account.id,
        serviceUuid,
        () => {
          throw new Error('no')
        },
        2_000,
      )
      await expect(refused).rejects.toThrow('no')
      expect(await only()).toMatchObject({ component: 'vip' })
      expect((await getPbxDocument(store, account.id, serviceUuid))?.components).toHaveLength(1)
      expect(await deleteService(store, account.id, serviceUuid, 3_000)).toBe(true)
      expect(await objects()).toEqual([])
    })

    test('of documents at once the last one stands, whole', async () => {
      const names = ['a', 'b', 'c', 'd', 'e']
      await Promise.all(names.map(async (name) => await put({ [name]: { url: url(name) } })))
      const document = await getPbxDocument(store, tenant.account.id, tenant.serviceUuid)
      const [component] = document?.components ?? []
      expect(await only()).toMatchObject({
        component: component?.name,
        url: component?.webhook?.url,
      })
    })
  })
}
