/** What a service tells of its PBX, and what becomes of documents: applied, refused, in need of a restart. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { ShownService } from '#contracts/service.ts'
import { asteriskPid, documentFor, type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const run = promisify(execFile)

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(async () => await stack?.[Symbol.asyncDispose]())

const address = () => `/services/${stack.service.uuid}`
const status = async () => (await stack.offhook.api<ShownService>('GET', address())).status
const put = async (change: Partial<PbxDocument>) =>
  await stack.offhook.api('PUT', `${address()}/pbx`, { ...documentFor(stack.ports), ...change })
const console = async (command: string) =>
  await run(stack.pbx.wrapper, ['-C', stack.pbx.conf, '-rx', command])
const documentIs = async (state: string) =>
  await waitUntil(
    async () => {
      const now = await status()
      return now.document?.state === state ? now : null
    },
    { what: `the document is ${state}`, timeoutMs: 30_000 },
  )

test('a document that the PBX refuses is told with its reason; the PBX and its document stay', async () => {
  onTestFailed(() => showLog(stack))
  expect(await documentIs('applied')).toMatchObject({ pbx: 'up', reason: null, test_calls: false })
  const pid = await asteriskPid(stack)
  // No document can be wrong for Asterisk, so Asterisk is made to refuse.
  await console('module unload pbx_config.so')
  await put({ default_ring_seconds: 7 })
  const refused = await documentIs('rejected')
  expect(refused).toMatchObject({
    pbx: 'up',
    document: { reason: expect.stringContaining('extensions.conf'), restart_needed: false },
  })
  expect(Date.parse(refused.document?.since ?? '')).toBeGreaterThan(Date.now() - 60_000)

  await console('module load pbx_config.so')
  await put({ default_ring_seconds: 8 })
  await documentIs('applied')
  const { stdout } = await console('dialplan show globals')
  expect(stdout).toContain('PBX_CONFIG_REV')
  expect(await asteriskPid(stack)).toBe(pid)
})

test('what needs a restart waits for the last call, and is then in force', async () => {
  onTestFailed(() => showLog(stack))
  const pid = await asteriskPid(stack)
  await console('channel originate Local/600@from-users application Wait 120')
  const channels = async () => (await console('core show channels count')).stdout
  await waitUntil(async () => !(await channels()).includes('0 active channels'), {
    what: 'a call is there',
  })
  await put({ name: 'renamed' })
  await waitUntil(async () => (await status()).document?.restart_needed, {
    what: 'the restart is told to be needed',
    timeoutMs: 30_000,
  })
  expect(await asteriskPid(stack)).toBe(pid)
  await console('channel request hangup all')
  await waitUntil(
    async () => {
      const now = await status()
      return now.pbx === 'up' && now.document?.restart_needed === false
    },
    { what: 'the PBX was restarted', timeoutMs: 60_000 },
  )
  expect(await asteriskPid(stack)).not.toBe(pid)
  expect((await console('core show settings')).stdout).toMatch(/System name:\s+renamed/)
})
