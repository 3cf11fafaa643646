/** The guard as a started Offhook has it: closed, but for the receiver of a demo that runs. */
import { expect, test } from 'vitest'
import { announceDemoReceiver } from '#server/demo-receiver-file.ts'
import { startOffhook } from '#test/support/offhook-process.ts'
import { startReceiver } from '#test/support/receiver.ts'

const webhook = (url: string) => ({ name: 'local', url, triggers: ['call.ended'] })

test('without a setting no webhook leads to this machine; the demo may while it runs', async () => {
  await using receiver = await startReceiver()
  await using other = await startReceiver()
  await using offhook = await startOffhook({ env: { OFFHOOK_ALLOW_ADDRESSES: '' } })
  const create = async (url: string) => await offhook.api('POST', '/webhooks', webhook(url))
  await expect(create(receiver.url)).rejects.toThrow(
    /422 .*address_forbidden.*127\.0\.0\.1 is an address of this machine \(127\.0\.0\.0\/8\)/,
  )
  {
    const port = Number(new URL(receiver.url).port)
    await using _demo = await announceDemoReceiver(offhook.dataFolder, port)
    await create(receiver.url)
    await expect(create(other.url)).rejects.toThrow('address_forbidden')
  }
  await expect(create(receiver.url)).rejects.toThrow('address_forbidden')
})

test('an address that is denied stays so, also where its block is allowed', async () => {
  await using receiver = await startReceiver()
  const env = { OFFHOOK_ALLOW_ADDRESSES: '127.0.0.0/8', OFFHOOK_DENY_ADDRESSES: '127.0.0.1' }
  await using offhook = await startOffhook({ env })
  await expect(offhook.api('POST', '/webhooks', webhook(receiver.url))).rejects.toThrow(
    'is refused by OFFHOOK_DENY_ADDRESSES',
  )
})
