/** `examples/nps/set-up.js` against the API: what somebody runs first, and again. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { type Client, startApi } from '#test/api/start-api.ts'
import { listening, portOf } from '#test/support/sending.ts'

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

async function setUp(
  { url }: { readonly url: string },
  { key }: Client,
  env: Record<string, string> = {},
) {
  const asked = { PATH: process.env.PATH ?? '', API: url, API_KEY: key, ...env }
  return await promisify(execFile)(process.execPath, [program], { env: asked }).then(
    ({ stdout }) => stdout.trim(),
    ({ stderr }) => `failed: ${stderr.trim()}`,
  )
}

/** A service of its own for each test; gives the address of its PBX document. */
async function withDocument({ request }: Client): Promise<string> {
  const made = await request('POST', '/api/v1/services', {
    body: { name: 'nps-test', friendly_name: 'NPS', connection: { kind: 'asterisk_managed' } },
  })
  const pbx = `/api/v1/services/${made.body.uuid}/pbx`
  expect((await request('PUT', pbx, { body: document })).status).toBe(200)
  return pbx
}

test('set up twice: one IVR, one webhook, the newest secret, the passwords as they were', async () => {
  await using server = await startApi()
  const { anna } = server
  expect(await setUp(server, anna)).toBe('failed: SERVICE must be the UUID of the PBX, one of:')
  const pbx = await withDocument(anna)

  const first = await setUp(server, anna)
  const second = await setUp(server, anna)
  expect(first).toMatch(/^whsec_\S+$/)
  expect(second).toMatch(/^whsec_\S+$/)
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

/** The API, where somebody else changes the object between the first GET of `path` and whatever comes next. */
async function changedMeanwhile(api: string, path: string, change: () => Promise<unknown>) {
  let due = true
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request
    const body = Buffer.concat(await Array.fromAsync(request))
    const answer = await fetch(api + url, {
      method,
      headers: Object.entries(headers).filter(
        (header): header is [string, string] =>
          ['authorization', 'content-type', 'if-match'].includes(header[0]) &&
          typeof header[1] === 'string',
      ),
      ...(body.length > 0 && { body }),
    })
    const text = await answer.text()
    if (due && method === 'GET' && url === path) {
      due = false
      await change()
    }
    response.writeHead(answer.status, { etag: answer.headers.get('etag') ?? '' }).end(text)
  })
  await listening(server)
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

test('what somebody else changes meanwhile is not lost', async () => {
  await using server = await startApi()
  const { anna } = server
  const pbx = await withDocument(anna)
  const theirs = { ...document, users: [{ ...document.users[0], name: 'Alice Meier' }] }
  await using between = await changedMeanwhile(server.url, pbx, () =>
    anna.request('PUT', pbx, { body: theirs }),
  )
  expect(await setUp(between, anna)).toMatch(/^failed: PUT .*412/)
  const { body } = await anna.request('GET', pbx)
  expect(body.users[0].name).toBe('Alice Meier')

  expect(await setUp(between, anna)).toMatch(/^whsec_/)
  const { body: after } = await anna.request('GET', pbx)
  expect(after.users[0].name).toBe('Alice Meier')
  expect(after.ivrs).toHaveLength(1)
})

test('the README’s line shows nothing of the environment where it fails', async () => {
  const page = await readFile(join(projectFolder, 'examples/nps/README.md'), 'utf8')
  const line = page.split('\n').find((text) => text.includes('npm run -s set-up')) ?? ''
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', line], {
    cwd: join(projectFolder, 'examples/nps'),
    env: { PATH: process.env.PATH ?? '', PRIVATE: 'of nobody’s concern' },
  })
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^API .* must be set\.\n$/)
})
