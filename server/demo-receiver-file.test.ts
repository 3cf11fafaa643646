import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { announceDemoReceiver, demoReceiverAllowed } from '#server/demo-receiver-file.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-demo-'))
})
afterEach(async () => await rm(folder, { recursive: true, force: true }))

test('its port of 127.0.0.1 is reachable while it lives, and nothing else', async () => {
  const allowed = demoReceiverAllowed(folder)
  expect(await allowed('127.0.0.1', 40_000)).toBe(false)
  {
    await using _announced = await announceDemoReceiver(folder, 40_000)
    expect(await allowed('127.0.0.1', 40_000)).toBe(true)
    expect(await allowed('127.0.0.1', 40_001)).toBe(false)
    expect(await allowed('127.0.0.2', 40_000)).toBe(false)
    expect(await allowed('::1', 40_000)).toBe(false)
    expect(await allowed('169.254.169.254', 40_000)).toBe(false)
    const { mode } = await stat(join(folder, 'demo', 'receiver.json'))
    expect(mode & 0o777).toBe(0o600)
  }
  expect(await allowed('127.0.0.1', 40_000)).toBe(false)
})

test('a demo that was killed leaves a file that allows nothing', async () => {
  await using _announced = await announceDemoReceiver(folder, 40_000)
  const child = spawn(process.execPath, ['-e', '0'])
  await once(child, 'exit')
  const file = join(folder, 'demo', 'receiver.json')
  await writeFile(file, JSON.stringify({ port: 40_000, pid: child.pid }))
  expect(await demoReceiverAllowed(folder)('127.0.0.1', 40_000)).toBe(false)
  await writeFile(file, '{"port": 40')
  expect(await demoReceiverAllowed(folder)('127.0.0.1', 40_000)).toBe(false)
})
