/** `examples/nps/set-up.js` against the API: what somebody runs first, and again. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { type Api, type Client, startApi } from '#test/api/start-api.ts'

const program = join(projectFolder, 'examples/nps/set-up.js')
const document = {
  name: 'nps-test',
  users: [
    {
      uuid: '5c1f0e52-6f0a-4c3e-9d57-2f6f1a3b0201',
      extension_number: '201',
      name: 'Alice',
      secret: 'a-long-password-1',
    },
  ],
}

async function setUp({ url }: Api, { key }: Client, env: Record<string, string> = {}) {
  const asked = { PATH: process.env.PATH ?? '', API: url, API_KEY: key, ...env }
  return await promisify(execFile)(process.execPath, [program], { env: asked }).then(
    ({ stdout }) => stdout.trim(),
    ({ stderr }) => `failed: ${stderr.trim()}`,
  )
}

test('set up twice: one IVR, one webhook, the newest secret, the passwords as they were', async () => {
  await using server = await startApi()
  const { anna } = server
  expect(await setUp(server, anna)).toBe('failed: SERVICE must be the UUID of the PBX, one of:')
  const made = await anna.request('POST', '/api/v1/services', {
    body: {
      name: 'nps-test',
      friendly_name: 'NPS',
      connection: { kind: 'asterisk_managed' },
    },
  })
  const pbx = `/api/v1/services/${made.body.uuid}/pbx`
  expect(await anna.request('PUT', pbx, { body: document })).toMatchObject({
    body: { name: 'nps-test' },
  })

  const first = await setUp(server, anna)
  const second = await setUp(server, anna)
  expect(first).toMatch(/^SECRET=whsec_\S+$/)
  expect(second).toMatch(/^SECRET=whsec_\S+$/)
  expect(second).not.toBe(first)
  const { body } = await anna.request('GET', pbx)
  expect(body.ivrs.map(({ name }: { name: string }) => name)).toEqual(['nps'])
  expect(Object.keys(body.ivrs[0].options)).toHaveLength(11)
  expect(body.virtual_extensions).toEqual([
    { extension: '650', destination: { type: 'ivr', name: 'nps' } },
  ])
  const { body: webhooks } = await anna.request('GET', '/api/v1/webhooks')
  expect(webhooks.items).toMatchObject([{ name: 'NPS', previous_secret_until: null }])
  expect(await setUp(server, anna, { API_KEY: 'ohk_x' })).toMatch(/^failed: GET \/services .*401/)
})
