/**
 * What a demo leaves behind, however it ends. Offhook is real; its demo PBX is not there, so a proxy says that it takes
 * test calls, and takes them. With real calls the demo is run by hand.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Page } from '#contracts/page.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import { type OffhookProcess, startOffhook } from '#test/support/offhook-process.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { runCommand, startCommand } from './run-offhook.ts'

// Several processes one after the other, each a second of work, on machines that have other things to do.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

const parts = new AsyncDisposableStack()
let offhook: OffhookProcess
let env: Record<string, string>
let service: string

beforeAll(async () => {
  offhook = parts.use(await startOffhook({ env: { OFFHOOK_ASTERISK_ROOT: '/nowhere' } }))
  const created = await offhook.api<{ uuid: string }>('POST', '/services', {
    name: 'office',
    friendly_name: 'Office',
    applications_enabled: true,
    connection: { kind: 'asterisk_managed' },
  })
  service = created.uuid
  const proxy = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  parts.defer(async () => {
    proxy.closeAllConnections()
    await new Promise((resolve) => proxy.close(resolve))
  })
  const { port } = proxy.address() as AddressInfo
  env = { OFFHOOK_DATA: offhook.dataFolder, OFFHOOK_PORT: String(port) }
})
afterAll(async () => await parts.disposeAsync())

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url = '', headers } = request
  const body = Buffer.concat(await Array.fromAsync(request))
  if (url.endsWith('/test-calls')) {
    response.writeHead(202).end()
    return
  }
  const { authorization = '', 'content-type': type } = headers
  const answered = await fetch(`${offhook.url}${url}`, {
    method,
    headers: { authorization, ...(type === undefined ? {} : { 'content-type': type }) },
    ...(body.length > 0 && { body }),
  })
  const text = await answered.text()
  response.writeHead(answered.status)
  response.end(text.replaceAll('"test_calls":false', '"test_calls":true'))
}

const webhooks = async () => (await offhook.api<Page<Webhook>>('GET', '/webhooks')).items

async function startDemo() {
  const run = startCommand(['demo'], env)
  await waitUntil(() => run.stdout().includes('Anna calls Alice'), { what: 'the first call' })
  return run
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s takes its webhook along',
  async (signal) => {
    await using run = await startDemo()
    expect(await webhooks()).toMatchObject([{ name: 'demo' }])
    run.child.kill(signal)
    expect(await run.ended).toMatchObject({ code: 130, stderr: '' })
    expect(await webhooks()).toEqual([])
  },
)

test('a reader that goes away takes its webhook along', async () => {
  await using run = startCommand(['demo'], env)
  run.child.stdout?.destroy()
  expect(await run.ended).toMatchObject({ code: 0, stderr: '' })
  expect(await webhooks()).toEqual([])
})

test('what a demo that was killed has left goes before the next one, and nothing else', async () => {
  const own = { name: 'demo', url: 'http://127.0.0.1:9009/', triggers: ['call.ended'] }
  const { id } = await offhook.api<{ id: string }>('POST', '/webhooks', own)
  {
    await using killed = await startDemo()
    const second = await runCommand(['demo'], env)
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('Another demo is') })
    killed.child.kill('SIGKILL')
    await killed.ended
  }
  expect(await webhooks()).toHaveLength(2)
  await using run = await startDemo()
  expect(await webhooks()).toHaveLength(2)
  run.child.kill('SIGTERM')
  await run.ended
  expect(await webhooks()).toMatchObject([{ id }])
  await offhook.api('DELETE', `/webhooks/${id}`)
})

test('with the Applications switch off it says so, and how to switch it on', async () => {
  await offhook.api('PATCH', `/services/${service}`, { applications_enabled: false })
  const { code, stderr } = await runCommand(['demo'], env)
  expect(code).toBe(1)
  expect(stderr).toMatch(/^offhook demo: The Applications switch of the PBX "Office" is off, /)
  expect(stderr).toContain(`/api/v1/services/${service} `)
  expect(await webhooks()).toEqual([])
})
