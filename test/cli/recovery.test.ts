import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { firstAccountName } from '#server/app.ts'
import { ensureAccount } from '#server/store/accounts.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { openStore } from '#server/store/open-store.ts'
import { setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  giveUp,
  makeTenant,
  makeWebhook,
} from '#test/conformance/fixture.ts'
import { type Folder, runCommand, temporaryFolder } from './run-offhook.ts'

// Several processes one after the other, each a second of work, on machines that have other things to do.
vi.setConfig({ testTimeout: 90_000 })

const openIn = async (data: Folder) =>
  await openStore({ url: `sqlite:${join(data.path, 'offhook.db')}` })

/** Four events: three deliveries given up by a webhook that answered 410 at last, one that it never got. */
async function prepare(data: Folder) {
  const store = await openIn(data)
  try {
    const tenant = await makeTenant(store, firstAccountName)
    const { id } = await makeWebhook(store, tenant, { name: 'CRM', order: 'none' })
    const [one, two, three, four] = ['a', 'b', 'c', 'd'].map((call) => callEvent(tenant, call))
    if (!one || !two || !three || !four) throw new Error('no events')
    await setWebhookEnabled(store, tenant.account.id, id, false, Date.now())
    await accept(store, tenant, [four], Date.now())
    await setWebhookEnabled(store, tenant.account.id, id, true, Date.now())
    await accept(store, tenant, [one, two, three], Date.now())
    const { leases } = await claim(store, Date.now())
    for (const [i, lease] of leases.entries()) {
      await giveUp(store, lease, i === 2 ? 'gone' : null, Date.now())
    }
    return { id, occurredAt: one.occurred_at }
  } finally {
    await store.close()
  }
}

async function counts(data: Folder) {
  const store = await openIn(data)
  try {
    const account = await ensureAccount(store, firstAccountName, 0)
    return await countDeliveries(store, account.id, null)
  } finally {
    await store.close()
  }
}

test('an outage is put right from the command line', async () => {
  await using data = await temporaryFolder()
  const { id, occurredAt } = await prepare(data)
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCommand(args, { OFFHOOK_DATA: data.path })
    return { code, says: stdout + stderr }
  }
  const lines = (await run('webhooks')).says.split('\n')
  expect(lines[0]).toMatch(/^ID {20,}STATE {12}NAME {2}TYPE {4}OF {11}TRIGGERS$/)
  expect(lines[1]).toMatch(
    new RegExp(`^${id}  disabled \\(gone\\)  CRM {3}custom  the account  call\\.`),
  )
  const json = await run('webhooks', 'list', '--state', 'disabled', '--json')
  expect(JSON.parse(json.says)).toMatchObject({ id, disabled_reason: 'gone' })
  expect(await run('webhooks', '--state', 'enabled')).toEqual({
    code: 0,
    says: 'There is no such webhook.\n',
  })
  expect(await run('webhooks', 'enable-disabled')).toEqual({
    code: 0,
    says: '1 webhook is enabled\n',
  })
  expect(await run('recover', id, '--since', '1h')).toEqual({
    code: 0,
    says: '3 deliveries are sent again\n',
  })
  expect(await run('recover', id, '--since', '1h')).toEqual({
    code: 0,
    says: '0 deliveries are sent again\n',
  })
  expect(await run('replay', id, '--since', occurredAt)).toEqual({
    code: 0,
    says: '1 delivery made\n',
  })
  expect(await counts(data)).toMatchObject({ pending: 4 })

  expect(await run('cancel', 'dlv_0000000001')).toEqual({
    code: 0,
    says: 'dlv_0000000001 is cancelled\n',
  })
  expect(await run('resend', 'dlv_0000000001', 'dlv_0000000002')).toEqual({
    code: 0,
    says: 'dlv_0000000001 is sent again\ndlv_0000000002 waits or is under way already\n',
  })
  expect(await run('cancel', '--webhook', id)).toEqual({
    code: 0,
    says: '4 deliveries are cancelled\n',
  })
  expect(await counts(data)).toMatchObject({ cancelled: 4 })
  expect((await run('webhooks', 'disable', id)).code).toBe(0)
  expect((await run('webhooks', 'list')).says).toContain('disabled (by_user)')
  const refused = await run('replay', id, '--since', occurredAt)
  expect(refused).toMatchObject({ code: 2, says: expect.stringContaining('webhooks enable') })
})

test.each([
  [['resend'], 'it is "resend <delivery id>..."'],
  [['resend', 'dlv_9000000001'], 'There is no delivery dlv_9000000001'],
  [['recover', 'wh_0'], '--since is missing'],
  [['recover', 'wh_0', '--since', 'monday'], '--since is how long ago'],
  [['recover', 'wh_0', '--since', '2h'], 'There is no webhook wh_0'],
  [['replay', '--since', '2h'], 'it is "replay <webhook> --since <time>"'],
  [['cancel'], 'it is "cancel <delivery id>..."'],
  [['cancel', 'dlv_0000000001', '--webhook', 'wh_0'], 'it is "cancel <delivery id>..."'],
  [['webhooks', 'enable'], 'it is "webhooks [list]'],
  [['webhooks', 'enable', 'wh_0', '--json'], 'it is "webhooks [list]'],
  [['webhooks', '--scope', 'globl'], '--scope: did you mean global? It must be one of account, '],
  [['webhooks', 'disable', 'CRM'], 'There is no webhook CRM; "offhook webhooks" lists all.'],
  [['webhooks', '--service', 'nowhere'], '--service: there is no PBX "nowhere"'],
  [['webhooks', '--colour'], '"offhook webhooks --help" says what it takes'],
])('%j is refused with 2', async (args, says) => {
  await using data = await temporaryFolder()
  await (await openIn(data)).close()
  const { code, stdout, stderr } = await runCommand(args, { OFFHOOK_DATA: data.path })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(says)
})
