/** Definitions of predefined webhooks that an administrator puts into the data folder. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startOffhook } from '#test/support/offhook-process.ts'

const definition = {
  name: 'our_crm',
  label: 'Our CRM',
  note: 'One row for each call.',
  asks_for: [{ field: 'url', label: 'Address', description: 'Of the CRM.' }],
  settings: {
    name: 'Our CRM',
    triggers: ['call.ended'],
    payload: { style: 'mapped', fields: [{ key: 'caller', field: 'Source Number' }] },
  },
  example: { url: 'https://crm.example/calls' },
}

test('a new one needs no code: a file is read at the start, and a wrong one is told and left out', async () => {
  await using offhook = await startOffhook()
  const folder = join(offhook.dataFolder, 'predefined')
  await mkdir(folder)
  await writeFile(join(folder, 'our-crm.json'), JSON.stringify(definition))
  const wrong = join(folder, 'salesforce.json')
  await writeFile(wrong, JSON.stringify({ ...definition, name: 'salesforce' }))
  await offhook.stop()
  await offhook.start()
  const listed = await offhook.api<{ items: { name: string }[] }>('GET', '/predefined-webhooks')
  expect(listed.items.map(({ name }) => name)).toContain('our_crm')
  const made = await offhook.api('POST', '/predefined-webhooks/our_crm', {
    url: 'https://example.com/calls',
  })
  expect(made).toMatchObject({ name: 'Our CRM', predefined: 'our_crm', triggers: ['call.ended'] })
  expect(offhook.output()).toContain(
    `${wrong}: there is another predefined webhook with the name \\"salesforce\\"`,
  )
})
