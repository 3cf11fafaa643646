import {
  appendFile,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rotateLog, rotateLogs } from '#server/pbx/asterisk/log-rotation.ts'
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

test('of what nobody reads, only so many files stay', async () => {
  const few = { ...rules, keepMs: 3_600_000, keepFiles: 2 }
  const begun = Date.now()
  for (let i = 0; i < 5; i += 1) {
    await writeFile(path, `a line of round ${i}\n`)
    await rotateLog(path, null, few, begun + i)
  }
  const left = await readdir(folder)
  expect(left).toHaveLength(2)
  const texts = await Promise.all(left.map((name) => readFile(join(folder, name), 'utf8')))
  expect(texts.toSorted()).toEqual(['a line of round 3\n', 'a line of round 4\n'])
})

test('a log that is kept open is asked for again until a new file is there', async () => {
  const files = {
    celFile: path,
    queueLogFile: join(folder, 'queue_log'),
    messagesFile: join(folder, 'messages'),
  }
  await writeFile(files.queueLogFile, 'one\ntwo\nthree\n')
  const inode = (await stat(files.queueLogFile, { bigint: true })).ino.toString()
  const read = { cel: null, queueLog: { inode, offset: 14 } }
  const tiny = { record: rules, messages: rules }
  let asked = 0
  let away = true
  const reopen = async () => {
    asked += 1
    if (away) throw new Error('not connected')
    await writeFile(files.queueLogFile, '')
  }
  let idle = false
  const asterisk = { isIdle: async () => idle, reopen }
  await rotateLogs(files, read, null, Date.now(), tiny)
  await rotateLogs(files, read, asterisk, Date.now(), tiny)
  expect(await readdir(folder)).toEqual(['queue_log'])
  idle = true
  await expect(rotateLogs(files, read, asterisk, Date.now(), tiny)).rejects.toThrow('not connected')
  away = false
  await rotateLogs(files, read, asterisk, Date.now(), tiny)
  await rotateLogs(files, read, asterisk, Date.now(), tiny)
  expect(asked).toBe(2)
  expect(await readdir(folder)).toHaveLength(2)
})

test('a log that is far too large waits for no end of calls', async () => {
  const files = {
    celFile: path,
    queueLogFile: join(folder, 'queue_log'),
    messagesFile: join(folder, 'messages'),
  }
  await writeFile(files.messagesFile, 'x'.repeat(100))
  let asked = 0
  const reopen = async () => {
    asked += 1
  }
  const asterisk = { isIdle: async () => false, reopen }
  const read = { cel: null, queueLog: null }
  await rotateLogs(files, read, asterisk, Date.now(), { record: rules, messages: rules })
  expect(asked).toBe(1)
  expect(await readdir(folder)).toEqual([expect.stringMatching(/^messages\.\d+$/)])
})
