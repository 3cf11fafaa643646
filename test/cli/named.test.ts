/** Webhooks by their names: what is sent again or cancelled must be that of the webhook that was meant. */
import { expect, test } from 'vitest'
import { webhookIdOf } from '#server/cli/named.ts'
import { makeTenant, makeWebhook } from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'

test('a webhook is named by its id, or by a name that no other one of the account has', async () => {
  await using opened = await openSqliteTestStore()
  const { store } = opened
  const [tenant, other] = [await makeTenant(store), await makeTenant(store)]
  const idOf = async (given: string) => await webhookIdOf(store, tenant.account.id, given)
  const crm = await makeWebhook(store, tenant, { name: 'CRM' })
  await makeWebhook(store, tenant, { name: 'CRM of Zürich' })
  await makeWebhook(store, other, { name: 'CRM' })
  const foreign = await makeWebhook(store, other, { name: 'Theirs' })
  for (const given of [crm.id, 'CRM', 'crm']) expect(await idOf(given)).toBe(crm.id)
  for (const given of ['CR', '', foreign.id, 'Theirs', '%']) {
    await expect(idOf(given)).rejects.toThrow(/^There is no webhook .*"offhook webhooks" lists all/)
  }
  const lower = await makeWebhook(store, tenant, { name: 'crm' })
  expect([await idOf('CRM'), await idOf('crm')]).toEqual([crm.id, lower.id])
  await expect(idOf('Crm')).rejects.toThrow('2 webhooks are called Crm; give the id of one: ')
  const twin = await makeWebhook(store, tenant, { name: 'CRM' })
  await expect(idOf('CRM')).rejects.toThrow(`${twin.id}, ${crm.id}.`)
})
