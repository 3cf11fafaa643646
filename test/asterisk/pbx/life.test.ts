/** The PBX and Offhook die, each on its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PbxDocument } from '#contracts/pbx.ts'
import { type AsteriskPbxOptions, openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'
import { openDemoWorld } from '#server/pbx/asterisk/demo-world.ts'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { findRunning } from '#server/pbx/asterisk/process.ts'
import { demoSettings, openDemo, rowOf, rows, temporaryFolder } from '#test/asterisk/pbx/demo.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const pidOf = async (folder: string): Promise<number> =>
  Number((await readFile(instanceFolder(folder).pidFile, 'utf8')).trim())

/** An Offhook of its own with this PBX, which applies the other document if there is one; to be killed. */
async function openInAnotherProcess({ log: _, ...pbx }: AsteriskPbxOptions, other?: PbxDocument) {
  const offhook = spawn(
    process.execPath,
    [join(import.meta.dirname, 'open-pbx.ts'), JSON.stringify(pbx), JSON.stringify(other ?? null)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const gone = once(offhook, 'exit')
  const kill = async () => {
    offhook.kill('SIGKILL')
    await gone
  }
  await once(offhook.stdout, 'data') // it is open
  return {
    kill,
    async [Symbol.asyncDispose]() {
      await kill()
      // Only when the test failed before another Offhook took over and closed it.
      const left = await findRunning(instanceFolder(pbx.folder))
      if (left !== null) process.kill(left, 'SIGKILL')
    },
  }
}

test('a PBX that is killed is started again, and the link tells the gap', async () => {
  await using demo = await openDemo()
  const told: string[] = []
  const stop = new AbortController()
  const listening = demo.pbx.run(
    {
      up: ({ bootedAt }) => void told.push(`up ${bootedAt === null ? '?' : 'booted'}`),
      down: (reason) => void told.push(`down: ${reason}`),
      activity: () => void told.push('activity'),
    },
    stop.signal,
  )
  await demo.world.placeTestCall({ from: '0288880001', to: '1007', talk_seconds: 60 })
  await rowOf(demo.folder, 'BRIDGE_ENTER')
  expect(told).toContain('activity')
  const before = await rows(demo.folder)

  const pid = await pidOf(demo.settings.pbx.folder)
  process.kill(pid, 'SIGKILL')
  await waitUntil(() => told.filter((t) => t === 'up booted').length === 2, {
    what: 'the PBX is back',
    timeoutMs: 20_000,
  })
  expect(told.filter((t) => t !== 'activity')).toEqual(['up booted', 'down: closed', 'up booted'])
  expect(await pidOf(demo.settings.pbx.folder)).not.toBe(pid)
  expect(await demo.pbx.listChannels()).toEqual(new Set())
  // The record goes on where it was; nothing of before is lost.
  expect((await rows(demo.folder)).slice(0, before.length)).toEqual(before)
  stop.abort()
  await listening
})

test('Offhook is killed in the middle of a call: the call goes on, the next Offhook takes it over', async () => {
  await using cleanUp = new AsyncDisposableStack()
  const folder = cleanUp.use(await temporaryFolder())
  const settings = await demoSettings(folder.path)
  const first = cleanUp.use(await openInAnotherProcess(settings.pbx))
  const pid = await pidOf(settings.pbx.folder)
  const world = await openDemoWorld(settings.world)
  cleanUp.defer(() => world.close())
  await world.placeTestCall({ from: '0288880001', to: '1007', talk_seconds: 60 })
  await waitUntil(async () => (await world.countChannels()) >= 3, { what: 'the phone rings' })

  await first.kill()
  expect(await findRunning(instanceFolder(settings.pbx.folder))).toBe(pid)

  const second = await openAsteriskPbx(settings.pbx)
  expect(settings.log).toContain('the PBX was still running and is taken over')
  expect(await pidOf(settings.pbx.folder)).toBe(pid)
  expect((await second.listChannels()).size).toBe(2)
  await rowOf(folder.path, 'BRIDGE_ENTER')
  await second.close()
  expect(await findRunning(instanceFolder(settings.pbx.folder))).toBeNull()
  // A clean stop writes the end of every call.
  const all = await rows(folder.path)
  const started = all.filter((r) => r.type === 'CHAN_START').map((r) => r.uniqueId)
  const ended = all.filter((r) => r.type === 'CHAN_END').map((r) => r.uniqueId)
  expect(ended.sort()).toEqual(started.sort())
})

test('Offhook is killed before the restart that a document needs: the next Offhook knows of it', async () => {
  await using folder = await temporaryFolder()
  const settings = await demoSettings(folder.path)
  const document = { ...settings.pbx.document, name: 'another' }
  await using first = await openInAnotherProcess(settings.pbx, document)
  const pid = await pidOf(settings.pbx.folder)
  await first.kill()

  const second = await openAsteriskPbx({ ...settings.pbx, document })
  // Nothing of it differs on disk any more, and calls go on until somebody decides.
  expect(await pidOf(settings.pbx.folder)).toBe(pid)
  expect(second.restartNeeded).toBe(true)
  expect((await second.apply(document)).restartNeeded).toEqual(['asterisk.conf'])
  await second.restart()
  expect(await pidOf(settings.pbx.folder)).not.toBe(pid)
  expect((await second.apply(document)).restartNeeded).toEqual([])
  await second.close()
})

test('a PBX left running with other ports is restarted with the right ones', async () => {
  await using folder = await temporaryFolder()
  const settings = await demoSettings(folder.path)
  const { pbx: other } = await demoSettings(folder.path)
  await using first = await openInAnotherProcess(settings.pbx)
  const pid = await pidOf(settings.pbx.folder)
  await first.kill()
  const second = await openAsteriskPbx(other)
  expect(await pidOf(settings.pbx.folder)).not.toBe(pid)
  expect(await second.listChannels()).toEqual(new Set())
  await second.close()
})
