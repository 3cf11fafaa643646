/** What is kept between requests stays where more is in use than a thousand. */
import { expect, test } from 'vitest'
import { createTlsIdentities } from '#server/pipeline/tls-identities.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import { createMatchingCache, matchingOf } from '#server/store/matching.ts'
import { putAuthorities } from '#server/store/tls-identities.ts'
import { makeTenant, makeWebhook } from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import { makeAuthority } from '#test/support/authority.ts'

test('1,500 accounts in turn: each is read once', async () => {
  await using opened = await openSqliteTestStore()
  const { store } = opened
  const cache = createMatchingCache()
  const tenants = [await makeTenant(store)]
  await makeWebhook(store, tenants[0] as (typeof tenants)[number])
  const account = await store.read.selectFrom('account').selectAll().executeTakeFirstOrThrow()
  const others = Array.from({ length: 1_500 }, (_, i) => `acc_other_${i}`)
  for (let i = 0; i < others.length; i += 100) {
    const rows = others.slice(i, i + 100).map((id) => ({ ...account, id, name: id }))
    await store.write.insertInto('account').values(rows).execute()
  }
  const ids = [account.id, ...others]
  const first = []
  for (const id of ids) first.push(await matchingOf(store.read, cache, id))
  expect(first[0]?.rows).toBe(2)
  for (const [i, id] of ids.entries()) {
    expect(await matchingOf(store.read, cache, id)).toBe(first[i])
  }
})

test('what is kept of accounts is bounded by their webhooks, the latest used stays', () => {
  const { accounts } = createMatchingCache()
  const matching = { version: 1, rows: 9_999, services: new Map(), byTrigger: new Map() }
  for (const id of ['a', 'b', 'c', 'd', 'e']) accounts.set(id, { ...matching })
  expect(accounts.get('a')).toBeDefined()
  accounts.set('f', { ...matching })
  expect([...accounts.keys()].toSorted()).toEqual(['a', 'c', 'd', 'e', 'f'])
})

test('1,500 certificates in turn: each is read once, and its connections are kept', async () => {
  await using parts = new AsyncDisposableStack()
  const { store } = parts.use(await openSqliteTestStore())
  const authority = parts.use(await makeAuthority())
  const tenant = await makeTenant(store)
  const webhook = await makeWebhook(store, tenant, { url: 'https://localhost:9/' })
  await putAuthorities(store, tenant.account.id, authority.certificate)
  const identities = createTlsIdentities(store)
  const claimed = { id: webhook.id } as ClaimedWebhook
  const versions = Array.from({ length: 1_500 }, (_, i) => `version ${i}`)
  const first = await Promise.all(versions.map((version) => identities.of(claimed, version)))
  for (const [i, version] of versions.entries()) {
    expect(await identities.of(claimed, version)).toBe(first[i])
  }
})
