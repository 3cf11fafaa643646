import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openStore } from '#server/store/open-store.ts'
import { createFlusher } from '#server/store/sqlite-flush.ts'
import { accept, callEvent, makeTenant, makeWebhook } from '#test/conformance/fixture.ts'
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

/**
 * Whatever this process asks of its disks waits until it is let go: each thread that libuv has for it opens a pipe
 * that nobody writes to.
 */
async function holdDisks() {
  const pipes = Array.from({ length: 4 }, (_, n) => join(folder, `pipe ${n}`))
  await promisify(execFile)('mkfifo', pipes)
  const opened = pipes.map(async (pipe) => await open(pipe, 'r'))
  return {
    async [Symbol.asyncDispose]() {
      for (const pipe of pipes) {
        // Fails until a reader waits.
        const fd = await waitUntil(
          () => openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK),
          {
            what: 'a thread is in the pipe',
          },
        )
        closeSync(fd)
      }
      for (const handle of await Promise.all(opened)) await handle.close()
    },
  }
}

test('a request leaves before the disk has what it is about, and nobody is told that it is kept', async () => {
  const store = await openStore({ url: `sqlite:${join(folder, 'offhook.db')}` })
  try {
    const tenant = await makeTenant(store)
    // From now on nothing has to be loaded.
    await accept(store, tenant, [callEvent(tenant, 'before')])
    await makeWebhook(store, tenant)
    const left: string[] = []
    store.courier = {
      room: () => ({ limit: 10, ahead: 10 }),
      setAside: async (_webhook, work) => ({ result: await work(), cameBack: false }),
      take: (leases) => void left.push(...leases.map(({ event }) => event.id)),
    }
    const event = callEvent(tenant, 'held')
    let told = false
    {
      await using _ = await holdDisks()
      const accepted = accept(store, tenant, [event]).then(() => {
        told = true
      })
      await waitUntil(() => left.length > 0, { what: 'it is given to the deliverer' })
      expect(left).toEqual([event.id])
      expect(await store.read.selectFrom('event').select('id').execute()).toHaveLength(2)
      expect(told).toBe(false)
      void accepted
    }
    await waitUntil(() => told, { what: 'it is on the disk' })
  } finally {
    store.courier = null
    await store.close()
  }
})
