/** The users of a PBX document, and what is told of them. */
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { PbxDocument, type PbxDocumentInput } from '#contracts/pbx.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listEvents } from '#server/store/events.ts'
import {
  changePbxDocument,
  changeService,
  deleteService,
  getPbxDocument,
} from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { getWebhook } from '#server/store/webhooks.ts'
import {
  claim,
  eventIdsOf,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

const triggers = ['user.created', 'user.modified', 'user.deleted'] as const

export function runUserConformance(open: OpenTestStore): void {
  describe('users of a PBX document', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const user = (extension: number, name = `User ${extension}`) => ({
      uuid: namedUuid(tenant.serviceUuid, `${extension}`),
      extension_number: `${extension}`,
      name,
      secret: `phone-secret-${extension}`,
    })
    const put = async (users: PbxDocumentInput['users'], now = 1_000) => {
      const document = PbxDocument.parse({ name: 'pbx', users })
      const { account, serviceUuid } = tenant
      return await changePbxDocument(store, account.id, serviceUuid, () => document, now)
    }
    /** Oldest first. */
    const events = async (): Promise<readonly Event[]> =>
      (await listEvents(store, tenant.account.id, {}, { limit: 500 })).items.toReversed()
    const told = async () =>
      (await events())
        .map((event) =>
          'user' in event && event.user ? `${event.type} ${event.user.extension_number}` : '',
        )
        .toSorted()

    test('a change tells of each user that differs, and a repetition of nobody', async () => {
      const webhook = await makeWebhook(store, tenant, { triggers: [...triggers] })
      await put([user(201), user(202)])
      await put([user(201), user(202)])
      expect(await told()).toEqual(['user.created 201', 'user.created 202'])
      await put([user(201, 'Anna'), user(203)])
      expect(await told()).toEqual([
        'user.created 201',
        'user.created 202',
        'user.created 203',
        'user.deleted 202',
        'user.modified 201',
      ])
      const { leases } = await claim(store, 1_000)
      expect(leases.map(({ event }) => event.type).toSorted()).toEqual([
        'user.created',
        'user.created',
        'user.created',
        'user.deleted',
        'user.modified',
      ])
      expect(new Set(leases.map((lease) => lease.webhook.id))).toEqual(new Set([webhook.id]))
    })

    test('they fire whatever the Applications switch says', async () => {
      const { account, serviceUuid } = tenant
      await makeWebhook(store, tenant, { triggers: ['user.created'] })
      await changeService(store, account.id, serviceUuid, { applications_enabled: false }, 2)
      await put([user(201)])
      expect((await claim(store, 1_000)).leases).toHaveLength(1)
    })

    test('no event without the change: what refuses it is told to nobody', async () => {
      await put([user(201)])
      const before = await getPbxDocument(store, tenant.account.id, tenant.serviceUuid)
      const refused = changePbxDocument(
        store,
        tenant.account.id,
        tenant.serviceUuid,
        () => {
          throw new Error('no')
        },
        2_000,
      )
      await expect(refused).rejects.toThrow('no')
      expect(await getPbxDocument(store, tenant.account.id, tenant.serviceUuid)).toEqual(before)
      expect(await told()).toEqual(['user.created 201'])
    })

    test('no change without its events: what cannot be told is not done', async () => {
      await put([user(201)])
      await sql`alter table event rename to event_elsewhere`.execute(store.write)
      await expect(put([user(202)])).rejects.toThrow()
      await sql`alter table event_elsewhere rename to event`.execute(store.write)
      const stored = await getPbxDocument(store, tenant.account.id, tenant.serviceUuid)
      expect(stored?.users).toMatchObject([{ extension_number: '201' }])
      await put([user(202)])
      expect(await told()).toEqual(['user.created 201', 'user.created 202', 'user.deleted 201'])
    })

    test('of changes at once each is told as what it changed, none twice', async () => {
      await put([])
      const { account, serviceUuid } = tenant
      const add = async (extension: number) =>
        await changePbxDocument(
          store,
          account.id,
          serviceUuid,
          (before) =>
            PbxDocument.parse({
              name: 'pbx',
              users: [...(before?.users ?? []), user(extension)],
            }),
          1_000,
        )
      const extensions = [201, 202, 203, 204, 205, 206]
      expect(await Promise.all(extensions.map(add))).toEqual(extensions.map(() => true))
      expect(await told()).toEqual(extensions.map((extension) => `user.created ${extension}`))
      const document = await getPbxDocument(store, account.id, serviceUuid)
      expect(document?.users).toHaveLength(extensions.length)
    })

    test('a deleted service tells webhooks of the account of its users, its own go with it', async () => {
      const { account, serviceUuid } = tenant
      await put([user(201), user(202)])
      const own = await makeWebhook(store, tenant, {
        service_uuid: serviceUuid,
        triggers: [...triggers],
      })
      const others = await makeWebhook(store, tenant, { triggers: [...triggers] })
      expect(await deleteService(store, account.id, serviceUuid, 2_000)).toBe(true)
      expect(await getWebhook(store, account.id, own.id)).toBeNull()
      const claimed = await claim(store, 2_000)
      expect(claimed.leases.map(({ webhook }) => webhook.id)).toEqual([others.id, others.id])
      const gone = (await events()).filter(({ type }) => type === 'user.deleted')
      expect(eventIdsOf(claimed).toSorted()).toEqual(gone.map(({ id }) => id).toSorted())
      expect(await deleteService(store, account.id, serviceUuid, 2_000)).toBe(false)
    })

    test('five thousand users at once are told of one by one', async () => {
      await makeWebhook(store, tenant, { triggers: ['user.created'] })
      const extensions = Array.from({ length: 5_000 }, (_, i) => 10_000 + i)
      expect(await put(extensions.map((extension) => user(extension)))).toBe(true)
      expect((await countDeliveries(store, tenant.account.id, null)).pending).toBe(5_000)
    }, 60_000)
  })
}
