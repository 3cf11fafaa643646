import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Verdict } from '#contracts/explain.ts'
import type { Lease } from '#server/store/claim.ts'
import { explainEvent } from '#server/store/explain.ts'
import { changeService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { changeWebhook, deleteWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  failUntil,
  giveUp,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

export function runExplainConformance(open: OpenTestStore): void {
  describe('explain', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const verdictsOf = async (eventId: string, now = 2_000, limit = 100) => {
      const found = await explainEvent(store, tenant.account.id, eventId, { limit }, now)
      return new Map((found?.verdicts.items ?? []).map((v): [string, Verdict] => [v.webhook_id, v]))
    }

    test('every webhook of the account has its verdict, with or without a delivery', async () => {
      const { account, serviceUuid } = tenant
      const event = callEvent(tenant, 'a')
      const make = async (settings: Parameters<typeof makeWebhook>[2] = {}) =>
        (await makeWebhook(store, tenant, settings)).id
      const [delivered, retried, exhausted] = [await make(), await make(), await make()]
      const delayed = await make({ delay_seconds: 60 })
      const deaf = await make({ triggers: ['voicemail.left'] })
      const off = await make({ enabled: false })
      const held = await make({ delay_seconds: 60 })
      const gone = await make()
      await accept(store, tenant, [event], 1_000)
      await setWebhookEnabled(store, account.id, held, false, 1_500)
      await deleteWebhook(store, account.id, gone, 1_500)
      const late = await make()
      await changeWebhook(store, account.id, late, { name: 'late' }, 1_500)
      const ends = new Map<string, (lease: Lease) => Promise<boolean>>([
        [delivered, (lease) => succeed(store, lease, 1_700)],
        [retried, (lease) => failUntil(store, lease, 9_000, 1_700)],
        [exhausted, (lease) => giveUp(store, lease, null, 1_700)],
      ])
      for (const lease of (await claim(store, 1_000)).leases)
        await ends.get(lease.webhook.id)?.(lease)
      const verdicts = await verdictsOf(event.id)
      const codes = new Map([...verdicts].map(([id, { code }]) => [id, code]))
      expect(codes).toEqual(
        new Map([
          // Made at time 0 by the fixture, and so there; changed since.
          [late, 'settings_changed'],
          [held, 'held'],
          [off, 'disabled_by_user'],
          [deaf, 'trigger'],
          [delayed, 'waiting_delay'],
          [exhausted, 'exhausted'],
          [retried, 'waiting_retry'],
          [delivered, 'delivered'],
        ]),
      )
      expect(verdicts.get(retried)?.says).toBe(
        'A try failed, and the next one is not due yet. The receiver answered 500. The next one is due at 1970-01-01T00:00:09.000Z.',
      )
      expect(verdicts.get(exhausted)?.says).toContain('The receiver answered 500. Given up.')
      expect(verdicts.get(delivered)?.delivery).toMatchObject({
        state: 'delivered',
        event_id: event.id,
      })
      expect(verdicts.get(deaf)).toMatchObject({ by_present_settings: false, delivery: null })
      expect(verdicts.get(late)?.by_present_settings).toBe(true)
      const found = await explainEvent(store, account.id, event.id, { limit: 1 }, 2_000)
      expect(found?.event).toEqual({
        id: event.id,
        type: event.type,
        occurred_at: event.occurred_at,
        accepted_at: '1970-01-01T00:00:01.000Z',
        service_uuid: serviceUuid,
        call_uuid: 'call' in event ? event.call.uuid : null,
      })
    })

    test('the Applications switch that was off is named, also when it is on again', async () => {
      const { account, serviceUuid } = tenant
      const { id } = await makeWebhook(store, tenant)
      const event = callEvent(tenant, 'a')
      await changeService(store, account.id, serviceUuid, { applications_enabled: false }, 500)
      await accept(store, tenant, [event], 1_000)
      expect((await verdictsOf(event.id)).get(id)).toMatchObject({
        code: 'applications_off',
        by_present_settings: false,
      })
      await changeService(store, account.id, serviceUuid, { applications_enabled: true }, 1_500)
      await changeService(store, account.id, serviceUuid, { friendly_name: 'Other' }, 1_600)
      expect((await verdictsOf(event.id)).get(id)).toMatchObject({
        code: 'applications_off',
        says: expect.stringContaining('It is on again since 1970-01-01T00:00:01.500Z'),
        by_present_settings: false,
      })
    })

    test('so is that a user had the webhook disabled, and no longer has', async () => {
      const { account } = tenant
      const { id } = await makeWebhook(store, tenant)
      const event = callEvent(tenant, 'a')
      await setWebhookEnabled(store, account.id, id, false, 500)
      await accept(store, tenant, [event], 1_000)
      await setWebhookEnabled(store, account.id, id, true, 1_500)
      await changeWebhook(store, account.id, id, { name: 'Other' }, 1_600)
      expect((await verdictsOf(event.id)).get(id)).toMatchObject({
        code: 'disabled_by_user',
        says: expect.stringContaining('It is on again since 1970-01-01T00:00:01.500Z'),
        by_present_settings: false,
      })
    })

    test('pages hold every webhook once, and an event of another account does not exist', async () => {
      const event = callEvent(tenant, 'a')
      const made: string[] = []
      for (let i = 0; i < 5; i += 1) made.unshift((await makeWebhook(store, tenant)).id)
      await accept(store, tenant, [event], 1_000)
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = { limit: 2, cursor }
        const found = await explainEvent(store, tenant.account.id, event.id, page, 2_000)
        seen.push(...(found?.verdicts.items ?? []).map((verdict) => verdict.webhook_id))
        cursor = found?.verdicts.next_cursor ?? undefined
      } while (cursor !== undefined)
      expect(seen).toEqual(made)
      const other = await makeTenant(store)
      expect(await explainEvent(store, other.account.id, event.id, { limit: 1 }, 1)).toBeNull()
    })
  })
}
