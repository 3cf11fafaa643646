/** A deleted service leaves nothing behind, however its deletion went. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { condemnInstance } from '#server/pbx/asterisk/discard-instance.ts'
import { openStore } from '#server/store/open-store.ts'
import { deleteService } from '#server/store/services.ts'
import { asteriskPid, processesOf, type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  const mailbox = join(stack.pbx.path, 'spool', 'voicemail', 'default', '201', 'INBOX')
  await mkdir(mailbox, { recursive: true })
  await writeFile(join(mailbox, 'msg0000.txt'), 'a message')
})
afterAll(async () => await stack?.[Symbol.asyncDispose]())

const folders = () => readdir(join(stack.offhook.dataFolder, 'pbx'))

test('killed after a deletion, the next start ends its Asterisk and removes what it kept', async () => {
  onTestFailed(() => showLog(stack))
  const { service, offhook, pbx } = stack
  const pid = await asteriskPid(stack)
  await offhook.kill()
  {
    const store = await openStore({ url: `sqlite:${join(offhook.dataFolder, 'offhook.db')}` })
    const { account_id } = await store.read
      .selectFrom('service')
      .select('account_id')
      .executeTakeFirstOrThrow()
    await condemnInstance(pbx.path)
    expect(await deleteService(store, account_id, service.uuid, Date.now())).toBe(true)
    await store.close()
  }
  expect(await processesOf(stack)).toEqual([String(pid)])
  await offhook.start()
  expect(await folders()).toEqual([])
  expect(await processesOf(stack)).toEqual([])
})

test('its Asterisk is stopped, and voicemail and recordings are gone', async () => {
  onTestFailed(() => showLog(stack))
  const { offhook } = stack
  const connection = { kind: 'asterisk_managed' }
  const draft = { name: 'second', friendly_name: 'Second', connection }
  const { uuid } = await offhook.api<{ uuid: string }>('POST', '/services', draft)
  await offhook.api('PUT', `/services/${uuid}/pbx`, { name: 'second' })
  await waitUntil(
    async () => {
      const { status } = await offhook.api<{ status: { pbx: string } }>('GET', `/services/${uuid}`)
      return status.pbx === 'up'
    },
    { what: 'the second PBX is up', timeoutMs: 60_000 },
  )
  expect(await folders()).toEqual([uuid])
  await offhook.api('DELETE', `/services/${uuid}`)
  await waitUntil(async () => (await folders()).length === 0, {
    what: 'its folder is gone',
    timeoutMs: 30_000,
  })
  expect(await processesOf(stack)).toEqual([])
})
