/** What docs/webhooks.md gives to be copied. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { startApi } from './start-api.ts'

test('every example of a webhook in docs/webhooks.md can be previewed and created as it stands', async () => {
  await using server = await startApi()
  const page = await readFile(join(projectFolder, 'docs/webhooks.md'), 'utf8')
  const section = /## Examples\n(.*?)\n## /s.exec(page)?.[1] ?? ''
  const examples = [...section.matchAll(/```json\n(.*?)```/gs)].map(([, text = '']) =>
    JSON.parse(text),
  )
  expect(examples.length).toBeGreaterThan(2)
  const service = await server.anna.request('POST', '/api/v1/services', {
    body: {
      name: 'pbx1',
      friendly_name: 'PBX',
      connection: { kind: 'asterisk_managed' },
      applications_enabled: true,
    },
  })
  for (const example of examples) {
    const body =
      'service_uuid' in example ? { ...example, service_uuid: service.body.uuid } : example
    for (const trigger of body.triggers) {
      const preview = { trigger, webhook: body }
      const previewed = await server.anna.request('POST', '/api/v1/webhooks/preview', {
        body: preview,
      })
      expect(previewed).toMatchObject({ status: 200, body: { problems: [], fires: true } })
    }
    const created = await server.anna.request('POST', '/api/v1/webhooks', { body })
    expect(created).toMatchObject({ status: 201, body: { name: example.name } })
  }
})
