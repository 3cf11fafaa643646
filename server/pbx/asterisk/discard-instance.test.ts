import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  condemnInstance,
  discardInstance,
  finishDiscards,
} from '#server/pbx/asterisk/discard-instance.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-discard-'))
})
afterEach(async () => await rm(folder, { recursive: true }))

async function make(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(folder, name, 'spool', 'voicemail'), { recursive: true })
    await writeFile(join(folder, name, 'spool', 'voicemail', 'msg0000.wav'), 'hello')
  }
}

test('a folder goes when what runs in it has stopped, not before', async () => {
  await make('a', 'b')
  const stopped = Promise.withResolvers<void>()
  await condemnInstance(join(folder, 'a'))
  const done = discardInstance(join(folder, 'a'), stopped.promise)
  expect(await readdir(join(folder, 'a', 'spool', 'voicemail'))).toEqual(['msg0000.wav'])
  stopped.resolve()
  await done
  expect(await readdir(folder)).toEqual(['b'])
})

test('a service that had no folder leaves nothing behind', async () => {
  await condemnInstance(join(folder, 'none'))
  await discardInstance(join(folder, 'none'), Promise.resolve())
  expect(await readdir(folder)).toEqual([])
})

test('after a crash what was to go goes; the living and the unknown stay', async () => {
  await make('condemned', 'half.deleted', 'living', 'unknown')
  await condemnInstance(join(folder, 'condemned'))
  // Condemned, but its deletion never came to be.
  await condemnInstance(join(folder, 'living'))
  await finishDiscards(folder, new Set(['living']))
  expect((await readdir(folder)).toSorted()).toEqual(['living', 'unknown'])
  await finishDiscards(folder, new Set())
  expect((await readdir(folder)).toSorted()).toEqual(['living', 'unknown'])
  await finishDiscards(join(folder, 'nowhere'), new Set())
})
