import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '#server/store/store.ts'
import {
  getAuthorities,
  getClientCertificate,
  putAuthorities,
  putClientCertificate,
  readTlsIdentity,
} from '#server/store/tls-identities.ts'
import { deleteWebhook } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

export function runTlsConformance(open: OpenTestStore): void {
  describe('TLS identities', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    const pair = { certificate: 'CERTIFICATE', private_key: 'KEY' }
    const versions = async (call: string) => {
      await accept(store, tenant, [callEvent(tenant, call)])
      const { leases } = await claim(store, 1_000)
      return new Map(leases.map((lease) => [lease.webhook.id, lease.webhook.tlsVersion]))
    }

    test('a claim names none where there is none, and a new version after each change', async () => {
      const { id: own } = await makeWebhook(store, tenant)
      const { id: plain } = await makeWebhook(store, tenant)
      const account = tenant.account.id
      expect(await versions('a')).toEqual(
        new Map([
          [own, null],
          [plain, null],
        ]),
      )
      await putClientCertificate(store, account, own, pair)
      const first = await versions('b')
      expect(first.get(own)).toEqual(expect.any(String))
      expect(first.get(plain)).toBeNull()
      await putAuthorities(store, account, 'AUTHORITIES')
      const second = await versions('c')
      expect(second.get(plain)).toEqual(expect.any(String))
      await putClientCertificate(store, account, own, pair)
      const third = await versions('d')
      expect(third.get(plain)).toBe(second.get(plain))
      const seen = [first.get(own), second.get(own), third.get(own), third.get(plain)]
      expect(new Set(seen).size).toBe(4)
      await putAuthorities(store, account, null)
      await putClientCertificate(store, account, own, null)
      expect([...(await versions('e')).values()]).toEqual([null, null])
    })

    test('the identity has both, its key in the clear', async () => {
      const { id } = await makeWebhook(store, tenant)
      expect(await readTlsIdentity(store, id)).toEqual({ ca: [], client: null })
      await putAuthorities(store, tenant.account.id, 'AUTHORITIES')
      await putClientCertificate(store, tenant.account.id, id, pair)
      expect(await readTlsIdentity(store, id)).toEqual({
        ca: ['AUTHORITIES'],
        client: { certificate: 'CERTIFICATE', privateKey: 'KEY' },
      })
      expect(await getAuthorities(store, tenant.account.id)).toBe('AUTHORITIES')
      expect(await getClientCertificate(store, tenant.account.id, id)).toBe('CERTIFICATE')
    })

    test('another account reads and changes nothing; a deleted webhook keeps no key', async () => {
      const { id } = await makeWebhook(store, tenant)
      const stranger = (await makeTenant(store)).account.id
      await putClientCertificate(store, tenant.account.id, id, pair)
      await putClientCertificate(store, stranger, id, null)
      await putAuthorities(store, stranger, 'OTHERS')
      expect(await getClientCertificate(store, stranger, id)).toBeNull()
      expect(await getClientCertificate(store, tenant.account.id, id)).toBe('CERTIFICATE')
      expect(await getAuthorities(store, tenant.account.id)).toBeNull()
      await deleteWebhook(store, tenant.account.id, id, 2_000)
      const row = await store.read
        .selectFrom('webhook')
        .select('client_certificate')
        .where('id', '=', id)
        .executeTakeFirst()
      expect(row?.client_certificate ?? null).toBeNull()
    })
  })
}
