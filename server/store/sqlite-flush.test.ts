import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFlusher } from '#server/store/sqlite-flush.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let folder: string
let told: number[]
let failures: Error[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-flush-'))
  told = []
  failures = []
})
afterEach(async () => await rm(folder, { recursive: true }))

const on = {
  told: (id: number) => void told.push(id),
  failed: (error: Error) => void failures.push(error),
}

test('what is written while a flush is under way shares the next one', async () => {
  const path = join(folder, 'log')
  await writeFile(path, 'commits')
  const flusher = createFlusher(path, on)
  for (const id of [3, 4, 7, 9]) flusher.wrote(id)
  await waitUntil(() => told.at(-1) === 9, { what: 'all is on the disk' })
  expect(told).toEqual([3, 9])
  flusher.wrote(12)
  await waitUntil(() => told.at(-1) === 12, { what: 'the last is on the disk' })
  flusher.close()
  expect(failures).toEqual([])
})

test('a close brings what is left to the disk, also beside a flush under way', async () => {
  const path = join(folder, 'log')
  await writeFile(path, 'commits')
  const flusher = createFlusher(path, on)
  flusher.wrote(1)
  flusher.wrote(2)
  flusher.close()
  expect(told).toEqual([2])
})

test('a disk that does not take it is a failure, and nothing is told', async () => {
  // It can be opened, and fdatasync(2) refuses it.
  const flusher = createFlusher('/dev/null', on)
  flusher.wrote(1)
  await waitUntil(() => failures.length > 0, { what: 'the failure' })
  expect(failures[0]).toMatchObject({ code: 'EINVAL' })
  expect(told).toEqual([])
  flusher.wrote(2)
  flusher.close()
  expect(told).toEqual([])
})
