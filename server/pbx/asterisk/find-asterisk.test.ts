import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { moduleNames } from '#server/pbx/asterisk/config/modules.ts'
import { findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-tree-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** A tree as scripts/get-asterisk.sh leaves it, with empty files for modules. */
async function tree(root: string, modules: readonly string[]) {
  const libraries = join(root, 'usr/lib/x')
  await mkdir(join(libraries, 'asterisk/modules'), { recursive: true })
  for (const name of modules) await writeFile(join(libraries, 'asterisk/modules', name), '')
  const stamp = 'layout=1\nversion=22.10.1\nloader=usr/lib/x/ld.so.2\nlibraries=usr/lib/x\n'
  await writeFile(join(root, 'offhook-asterisk.stamp'), stamp)
}

test('a complete tree is taken as it is', async () => {
  await tree(folder, moduleNames)
  const asterisk = await findAsterisk({ root: folder, searchPath: '' })
  expect(asterisk).toMatchObject({
    version: '22.10.1',
    modules: join(folder, 'usr/lib/x/asterisk/modules'),
    data: join(folder, 'usr/share/asterisk'),
  })
  expect(asterisk.command[0]).toBe(join(folder, 'usr/lib/x/ld.so.2'))
})

test('a tree without a module that we load is made anew', async () => {
  await tree(folder, moduleNames.slice(1))
  const said: string[] = []
  const finding = findAsterisk({
    root: folder,
    searchPath: '',
    onProgress: (line) => said.push(line),
    signal: AbortSignal.abort(), // so that nothing is fetched
  })
  await expect(finding).rejects.toThrow('aborted')
  expect(said).toEqual(['Getting Asterisk (about 17 MB) …'])
})

test('where no tree can be, one sentence says why', async () => {
  await writeFile(join(folder, 'file'), '')
  const root = join(folder, 'file', 'tree')
  await expect(findAsterisk({ root, searchPath: '' })).rejects.toMatchObject({
    code: 'asterisk_missing',
    message: expect.stringMatching(/^There is no Asterisk here: \S.*\.$/),
  })
})

test('a program on the PATH that is too old, or no Asterisk at all, is passed over', async () => {
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'asterisk'), '#!/bin/sh\necho Asterisk 18.10.0\n', { mode: 0o755 })
  await writeFile(join(folder, 'file'), '')
  const said: string[] = []
  const finding = findAsterisk({
    root: join(folder, 'file', 'tree'),
    searchPath: bin,
    onProgress: (line) => said.push(line),
  })
  await expect(finding).rejects.toMatchObject({
    code: 'asterisk_missing',
    message: expect.stringContaining(`. ${bin}/asterisk is version 18.10.0, older than 20.`),
  })
  expect(said).toEqual(['Getting Asterisk (about 17 MB) …'])
})
