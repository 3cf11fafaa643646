import { appendFile, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rotateLog } from '#server/pbx/asterisk/log-rotation.ts'
import { type LogCursor, readLog } from '#server/pbx/asterisk/log-tail.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-rotation-'))
  path = join(folder, 'cel.csv')
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const rules = { maxBytes: 10, keepMs: 1_000 }
const texts = async (cursor: LogCursor | null) => {
  const records: string[] = []
  let at = cursor
  for (let more = true; more; ) {
    const batch = await readLog(path, at)
    records.push(...batch.records.map((record) => record.text))
    at = batch.cursor
    more = batch.more
  }
  return { records, cursor: at as LogCursor }
}

test('a file that has grown is renamed, and the reader goes on without a gap', async () => {
  await writeFile(path, 'one\ntwo\n')
  const first = await texts(null)
  await appendFile(path, 'three\n')
  await rotateLog(path, first.cursor, rules, Date.now())
  await writeFile(path, 'four\n')
  const second = await texts(first.cursor)
  expect([...first.records, ...second.records]).toEqual(['one', 'two', 'three', 'four'])
  expect(await readdir(folder)).toHaveLength(2)
})

test('a small file stays', async () => {
  await writeFile(path, 'one\n')
  await rotateLog(path, (await texts(null)).cursor, rules, Date.now())
  expect(await readdir(folder)).toEqual(['cel.csv'])
})

test('old files go once they are read, never before', async () => {
  await writeFile(path, 'one\ntwo\nthree\n')
  const unread = { inode: (await stat(path, { bigint: true })).ino.toString(), offset: 0 }
  const later = Date.now() + 60_000
  await rotateLog(path, unread, rules, later)
  await writeFile(path, 'four\n')
  expect(await readdir(folder)).toHaveLength(2)
  const { records, cursor } = await texts(unread)
  expect(records).toEqual(['one', 'two', 'three', 'four'])
  await rotateLog(path, cursor, rules, later)
  expect(await readdir(folder)).toEqual(['cel.csv'])
})

test('read files stay for a while', async () => {
  await writeFile(path, 'one\ntwo\nthree\n')
  const { cursor } = await texts(null)
  await rotateLog(path, cursor, rules, Date.now())
  await writeFile(path, 'four\n')
  const next = (await texts(cursor)).cursor
  await rotateLog(path, next, rules, Date.now())
  expect(await readdir(folder)).toHaveLength(2)
  const [old] = (await readdir(folder)).filter((name) => name !== 'cel.csv')
  await utimes(join(folder, old ?? ''), 0, 0)
  await rotateLog(path, next, rules, Date.now())
  expect(await readdir(folder)).toEqual(['cel.csv'])
})
