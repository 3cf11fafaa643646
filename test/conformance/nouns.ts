import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import { ServiceDraft } from '#contracts/service.ts'
import { HiddenSecretError } from '#server/domain/hidden-secrets.ts'
import { ensureAccount } from '#server/store/accounts.ts'
import {
  createApiKey,
  deleteApiKey,
  findAccountByApiKey,
  listApiKeys,
} from '#server/store/api-keys.ts'
import { listEvents } from '#server/store/events.ts'
import { type Claim, idempotencyKeysIn } from '#server/store/idempotency-keys.ts'
import {
  changePbxDocument,
  changeService,
  createService,
  deleteService,
  getPbxDocument,
  getService,
  listServices,
  listServicesInside,
} from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { listWebhooks } from '#server/store/webhook-list.ts'
import {
  changeWebhook,
  deleteWebhook,
  getWebhook,
  setWebhookEnabled,
} from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  failUntil,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import type { OpenTestStore, TestStore } from '#test/conformance/test-store.ts'

const attached = ServiceDraft.parse({
  name: 'branch',
  friendly_name: 'Branch',
  country: 'AU',
  connection: {
    kind: 'asterisk_attached',
    cel_path: '/var/log/asterisk/cel.csv',
    ami: { host: '127.0.0.1', username: 'offhook', secret: 'open sesame' },
  },
})

const filesAlone = ServiceDraft.shape.connection.parse({
  kind: 'asterisk_attached',
  cel_path: '/var/log/asterisk/cel.csv',
})

/** Every item of a list, read page by page. */
async function readAll<T>(list: (page: PageRequest) => Promise<Page<T>>, limit: number) {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit, cursor })
    items.push(...page.items)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  return items
}

export function runNounConformance(open: OpenTestStore): void {
  describe('accounts, keys, services, webhooks', () => {
    let opened: TestStore
    let store: Store
    let tenant: Tenant
    let other: Tenant
    beforeEach(async () => {
      opened = await open()
      store = opened.store
      tenant = await makeTenant(store)
      other = await makeTenant(store)
    })
    afterEach(async () => await opened[Symbol.asyncDispose]())

    test('an account is made once', async () => {
      const [a, b] = await Promise.all([
        ensureAccount(store, 'same', 1),
        ensureAccount(store, 'same', 2),
      ])
      expect(a).toEqual(b)
    })

    test('an API key opens its account, is nowhere to be read, and ends', async () => {
      const { key, ...shown } = await createApiKey(store, tenant.account.id, 'laptop', 5)
      expect(await findAccountByApiKey(store, key)).toEqual(tenant.account)
      expect(await findAccountByApiKey(store, `${key}x`)).toBeNull()
      expect(await listApiKeys(store, tenant.account.id)).toEqual([shown])
      expect(
        JSON.stringify(await store.read.selectFrom('api_key').selectAll().execute()),
      ).not.toContain(key.slice(4))
      expect(await deleteApiKey(store, other.account.id, shown.id)).toBe(false)
      expect(await deleteApiKey(store, tenant.account.id, shown.id)).toBe(true)
      expect(await findAccountByApiKey(store, key)).toBeNull()
    })

    test('the AMI secret is sealed, hidden, kept by a change that repeats the mask, and opened for capture', async () => {
      const { id } = tenant.account
      const service = await createService(store, id, attached, 1)
      expect(service.connection).toMatchObject({ ami: { secret: hiddenSecret } })
      const stored = await store.read.selectFrom('service').select('connection').execute()
      expect(JSON.stringify(stored)).not.toContain('open sesame')
      const inside = async () =>
        (await listServicesInside(store)).find((s) => s.service.uuid === service.uuid)?.connection
      await changeService(store, id, service.uuid, { connection: service.connection }, 2)
      expect(await inside()).toMatchObject({ ami: { secret: 'open sesame' } })
      const changed = structuredClone(attached.connection)
      if (changed.kind === 'asterisk_attached' && changed.ami) changed.ami.secret = 'new'
      await changeService(store, id, service.uuid, { connection: changed }, 3)
      expect(await inside()).toMatchObject({ ami: { secret: 'new' } })
    })

    test('names of services are unique in the account', async () => {
      const service = await createService(store, tenant.account.id, attached, 1)
      await createService(store, other.account.id, attached, 1)
      await expect(createService(store, tenant.account.id, attached, 1)).rejects.toMatchObject({
        code: 'name_taken',
      })
      const rename = { name: 'pbx1' }
      await expect(
        changeService(store, tenant.account.id, service.uuid, rename, 2),
      ).rejects.toMatchObject({ code: 'name_taken' })
      expect(await getService(store, tenant.account.id, service.uuid)).toEqual(service)
    })

    test('PBX documents are sealed and come back as they were', async () => {
      const { account, serviceUuid } = tenant
      expect(await getPbxDocument(store, account.id, serviceUuid)).toBeNull()
      const document = PbxDocument.parse({ name: 'only-in-the-box' })
      const put = async (accountId: string) =>
        await changePbxDocument(store, accountId, serviceUuid, () => document, 9)
      expect(await put(account.id)).toBe(true)
      expect(await getPbxDocument(store, account.id, serviceUuid)).toEqual(document)
      const rows = await store.read.selectFrom('service').select('pbx_document').execute()
      expect(JSON.stringify(rows)).not.toContain('only-in-the-box')
      expect(await put(other.account.id)).toBe(false)
    })

    test('a mask where no secret is stored is refused', async () => {
      const { id } = tenant.account
      const masked = structuredClone(attached)
      if (masked.connection.kind === 'asterisk_attached' && masked.connection.ami)
        masked.connection.ami.secret = hiddenSecret
      await expect(createService(store, id, masked, 1)).rejects.toThrow(HiddenSecretError)
      const service = await createService(store, id, { ...masked, connection: filesAlone }, 1)
      const change = { connection: masked.connection }
      await expect(changeService(store, id, service.uuid, change, 2)).rejects.toThrow(
        HiddenSecretError,
      )
    })

    test('a webhook keeps its settings, and its secret is sealed', async () => {
      const webhook = await makeWebhook(store, tenant, { concurrency: 7, retries: 9 })
      const { secret, ...shown } = webhook
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{32}$/)
      expect(await getWebhook(store, tenant.account.id, webhook.id)).toEqual(shown)
      const rows = await store.read.selectFrom('webhook').selectAll().execute()
      expect(JSON.stringify(rows)).not.toContain(secret.slice(6))
      const change = { name: 'renamed', concurrency: 2, order: 'none' as const }
      expect(await changeWebhook(store, tenant.account.id, webhook.id, change, 5)).toEqual({
        ...shown,
        ...change,
        updated_at: '1970-01-01T00:00:00.005Z',
      })
    })

    test('disabled by a user says so; enabling forgets it', async () => {
      const { id } = await makeWebhook(store, tenant)
      const off = await setWebhookEnabled(store, tenant.account.id, id, false, 1)
      expect(off).toMatchObject({ enabled: false, disabled_reason: 'by_user' })
      const on = await setWebhookEnabled(store, tenant.account.id, id, true, 2)
      expect(on).toMatchObject({ enabled: true, disabled_reason: null })
    })

    test('webhooks are found by service and by trigger', async () => {
      const { account, serviceUuid } = tenant
      const triggers = ['webhook_component_event' as const]
      const one = await makeWebhook(store, tenant, { service_uuid: serviceUuid })
      const two = await makeWebhook(store, tenant, { triggers })
      const idsOf = async (filter: Parameters<typeof listWebhooks>[2]) =>
        (await listWebhooks(store, account.id, filter, { limit: 10 })).items.map((w) => w.id)
      expect(await idsOf({})).toEqual([two.id, one.id])
      expect(await idsOf({ serviceUuid })).toEqual([one.id])
      expect(await idsOf({ trigger: 'webhook_component_event' })).toEqual([two.id])
      expect(await idsOf({ trigger: 'call.ended', serviceUuid })).toEqual([one.id])
      expect(await idsOf({ trigger: 'voicemail.left' })).toEqual([])
    })

    test('webhooks are found by scope, state and a part of the name', async () => {
      const { account, serviceUuid } = tenant
      const one = await makeWebhook(store, tenant, { name: 'CRM 50%_off \\ north' })
      const two = await makeWebhook(store, tenant, { name: 'Billing', service_uuid: serviceUuid })
      const idsOf = async (filter: Parameters<typeof listWebhooks>[2]) =>
        (await listWebhooks(store, account.id, filter, { limit: 10 })).items.map((w) => w.id)
      expect(await idsOf({ scope: 'account' })).toEqual([one.id])
      expect(await idsOf({ scope: 'service' })).toEqual([two.id])
      expect(await idsOf({ scope: 'global' })).toEqual([])
      for (const name of ['crm', '50%', '%_o', '\\', 'NORTH']) {
        expect(await idsOf({ name })).toEqual([one.id])
      }
      expect(await idsOf({ name: '_' })).toEqual([one.id])
      await setWebhookEnabled(store, account.id, one.id, false, 1)
      expect(await idsOf({ state: 'disabled' })).toEqual([one.id])
      expect(await idsOf({ state: 'enabled' })).toEqual([two.id])
      expect(await idsOf({ state: 'failing' })).toEqual([])
      const calls = Array.from({ length: 40 }, (_, i) => callEvent(tenant, `call ${i}`))
      await accept(store, tenant, calls, 1_000)
      for (let now = 2_000; now < 42_000; now += 1_000) {
        for (const lease of (await claim(store, now)).leases) {
          await failUntil(store, lease, now + 3_600_000, now)
        }
      }
      expect(await idsOf({ state: 'failing', name: 'billing' })).toEqual([two.id])
    })

    test('a part of a name is found in upper and lower case of any alphabet', async () => {
      const { id } = tenant.account
      const one = await makeWebhook(store, tenant, { name: 'Zürich ΑΘΗΝΑ' })
      const idsOf = async (name: string) =>
        (await listWebhooks(store, id, { name }, { limit: 10 })).items.map((w) => w.id)
      // Also as an umlaut of two characters, which some keyboards give.
      for (const name of ['ZÜRICH', 'zürich', 'zu\u0308rich', 'αθηνα']) {
        expect(await idsOf(name), name).toEqual([one.id])
      }
      await changeWebhook(store, id, one.id, { name: 'Genève' }, 2)
      expect(await idsOf('ZÜRICH')).toEqual([])
      expect(await idsOf('GENÈVE')).toEqual([one.id])
    })

    test('nobody sees or changes what belongs to another account', async () => {
      const webhook = await makeWebhook(store, tenant)
      const { id } = other.account
      expect(await getWebhook(store, id, webhook.id)).toBeNull()
      expect(await changeWebhook(store, id, webhook.id, { name: 'x' }, 1)).toBeNull()
      expect(await deleteWebhook(store, id, webhook.id, 1)).toBe(false)
      expect(await getService(store, id, tenant.serviceUuid)).toBeNull()
      expect(await changeService(store, id, tenant.serviceUuid, { name: 'x' }, 1)).toBeNull()
      expect(await deleteService(store, id, tenant.serviceUuid, 1)).toBe(false)
    })

    test('a service takes its own webhooks along, and leaves those of the account', async () => {
      const { account, serviceUuid } = tenant
      const own = await makeWebhook(store, tenant, { service_uuid: serviceUuid })
      const all = await makeWebhook(store, tenant)
      expect(await deleteService(store, account.id, serviceUuid, 1)).toBe(true)
      expect(await getWebhook(store, account.id, own.id)).toBeNull()
      expect(await getWebhook(store, account.id, all.id)).not.toBeNull()
    })

    test('a service that is deleted while a webhook is made for it, or moved to it, gets none', async () => {
      const { account, serviceUuid } = tenant
      const { id } = await makeWebhook(store, tenant)
      await deleteService(store, account.id, serviceUuid, 1)
      const gone = { name: 'InconsistentSettingsError', found: [{ path: ['service_uuid'] }] }
      const of = { service_uuid: serviceUuid }
      await expect(makeWebhook(store, tenant, of)).rejects.toMatchObject(gone)
      await expect(changeWebhook(store, account.id, id, of, 2)).rejects.toMatchObject(gone)
      const { items } = await listWebhooks(store, account.id, {}, { limit: 10 })
      expect(items).toMatchObject([{ id, service_uuid: null }])
    })

    test('pages hold every item once, newest first, while new ones come in', async () => {
      const { account } = tenant
      const made: string[] = []
      for (let i = 0; i < 7; i += 1) made.unshift((await makeWebhook(store, tenant)).id)
      let late = 0
      const seen = await readAll(async (page) => {
        const found = await listWebhooks(store, account.id, {}, page)
        if (late < 2) await makeWebhook(store, tenant)
        late += 1
        return found
      }, 3)
      expect(seen.map((w) => w.id)).toEqual(made)
      const services = await readAll((page) => listServices(store, account.id, page), 1)
      expect(services).toHaveLength(1)
    })

    test('a cursor of another list, or of nobody, is refused', async () => {
      await accept(store, tenant, [callEvent(tenant, 'a'), callEvent(tenant, 'b')])
      const { id } = tenant.account
      const { next_cursor } = await listEvents(store, id, {}, { limit: 1 })
      for (const cursor of [next_cursor ?? '', 'bm9uc2Vuc2U', '!', '-']) {
        await expect(listWebhooks(store, id, {}, { limit: 1, cursor })).rejects.toMatchObject({
          code: 'invalid_cursor',
        })
      }
    })

    test('events are found by type, call, service and time', async () => {
      const { account, serviceUuid } = tenant
      const [a, b] = [callEvent(tenant, 'a'), callEvent(tenant, 'b')]
      await accept(store, tenant, [a, b])
      const find = async (filter: Parameters<typeof listEvents>[2]) =>
        (await listEvents(store, account.id, filter, { limit: 10 })).items.map((e) => e.id)
      expect(await find({})).toEqual([b.id, a.id])
      expect(await find({ callUuid: 'call' in a ? a.call.uuid : '' })).toEqual([a.id])
      expect(await find({ serviceUuid, type: 'call.inbound.received' })).toHaveLength(2)
      expect(await find({ type: 'call.ended' })).toEqual([])
      const at = Date.parse(a.occurred_at)
      expect(await find({ since: at, until: at + 1 })).toHaveLength(2)
      expect(await find({ until: at })).toEqual([])
    })

    test('an idempotency key is claimed once and gives its reply again', async () => {
      let now = 1_000
      const keys = idempotencyKeysIn(store, () => now)
      const { id } = tenant.account
      const claim = { accountId: id, key: 'k', at: 1_000 }
      const others = { ...claim, accountId: other.account.id }
      expect(await keys.claim(id, 'k', 'print')).toEqual({ claim })
      expect(await keys.claim(id, 'k', 'print')).toBe('under_way')
      expect(await keys.claim(id, 'k', 'another')).toBe('other_request')
      expect(await keys.claim(others.accountId, 'k', 'print')).toEqual({ claim: others })
      const reply = { status: 201, body: '{"secret":"whsec_x"}' }
      await keys.remember(store.write, claim, reply)
      expect(await keys.claim(id, 'k', 'print')).toEqual(reply)
      const rows = await store.read.selectFrom('idempotency_key').selectAll().execute()
      expect(JSON.stringify(rows)).not.toContain('whsec_x')
      await keys.release(claim)
      expect(await keys.claim(id, 'k', 'print')).toEqual(reply)
      await keys.release(others)
      expect(await keys.claim(others.accountId, 'k', 'another')).toEqual({ claim: others })
      now += 61_000
      const later = { claim: { ...others, at: now } }
      expect(await keys.claim(others.accountId, 'k', 'third')).toEqual(later)
    })

    test('what is created and its remembered reply are both there or neither', async () => {
      let now = 1_000
      const { id } = tenant.account
      const keys = idempotencyKeysIn(store, () => now)
      const claimOf = async () => {
        const claimed = await keys.claim(id, 'k', 'print')
        if (typeof claimed === 'string' || !('claim' in claimed)) throw new Error('not claimed')
        return claimed.claim
      }
      const create = async (claim: Claim, meanwhile?: () => void) =>
        await createService(store, id, attached, 1, async (trx, { uuid }) => {
          await keys.remember(trx, claim, { status: 201, body: uuid })
          meanwhile?.()
        })
      const named = async () =>
        (await listServices(store, id, { limit: 100 })).items.filter(
          ({ name }) => name === attached.name,
        )
      // Cut off after both were written, before the commit.
      const cutOff = create(await claimOf(), () => {
        throw new Error('cut off')
      })
      await expect(cutOff).rejects.toThrow('cut off')
      expect(await named()).toEqual([])
      expect(await keys.claim(id, 'k', 'print')).toBe('under_way')
      // So slow that another took the key over: it may not create a second one.
      const slow = { accountId: id, key: 'k', at: now }
      now += 61_000
      const { uuid } = await create(await claimOf())
      await expect(create(slow)).rejects.toMatchObject({ code: 'name_taken' })
      const other = { ...attached, name: 'another' }
      await expect(
        createService(store, id, other, 1, async (trx) => {
          await keys.remember(trx, slow, { status: 201, body: 'second' })
        }),
      ).rejects.toMatchObject({ code: 'claim_lost' })
      expect((await listServices(store, id, { limit: 100 })).items).toHaveLength(2)
      expect(await keys.claim(id, 'k', 'print')).toEqual({ status: 201, body: uuid })
    })
  })
}
