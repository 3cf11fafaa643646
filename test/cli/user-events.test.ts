/** Users of a PBX document, from a PUT of the document to the receiver, of the program as it is started. */
import { expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { startOffhook } from '#test/support/offhook-process.ts'
import { startReceiver } from '#test/support/receiver.ts'

const alice = {
  uuid: '0b8f5a1c-54d5-4a86-8f2a-0a3f6f1f8a01',
  extension_number: '201',
  name: 'Alice',
  secret: 'phone-secret-201',
}

test('users that come, change and go with their service reach a receiver, each once', async () => {
  await using receiver = await startReceiver()
  // No Asterisk is needed to say who its users are.
  await using offhook = await startOffhook({ env: { OFFHOOK_ASTERISK_ROOT: '/nowhere' } })
  const { uuid } = await offhook.api<{ uuid: string }>('POST', '/services', {
    name: 'office',
    friendly_name: 'Office',
    connection: { kind: 'asterisk_managed' },
  })
  await offhook.api('POST', '/webhooks', {
    name: 'directory',
    url: receiver.url,
    triggers: ['user.created', 'user.modified', 'user.deleted'],
  })
  const put = async (users: readonly object[]) =>
    await offhook.api('PUT', `/services/${uuid}/pbx`, { name: 'office', users })
  const arrived = async (count: number) =>
    (await receiver.waitFor((all) => all.length >= count, `${count} requests`))
      .map(({ event }) => event)
      .filter((event): event is Event => event !== null)

  await put([alice])
  const [created] = await arrived(1)
  expect(created).toMatchObject({
    type: 'user.created',
    service: { uuid, name: 'office' },
    user: { uuid: alice.uuid, extension_number: '201', name: 'Alice' },
  })
  await put([alice])
  await put([{ ...alice, name: 'Alicia', secret: 'phone-secret-new' }])
  const [, modified] = await arrived(2)
  expect(modified).toMatchObject({
    type: 'user.modified',
    changed_fields: ['name', 'secret'],
    user: { name: 'Alicia' },
  })
  await offhook.api('DELETE', `/services/${uuid}`)
  const all = await arrived(3)
  expect(all[2]).toMatchObject({ type: 'user.deleted', user: { name: 'Alicia' } })
  expect(new Set(all.map((event) => event.id)).size).toBe(3)
  expect(JSON.stringify(all)).not.toContain('phone-secret')
}, 60_000)
