import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { openStore } from '#server/store/open-store.ts'
import { accept, callEvent, makeTenant } from '#test/conformance/fixture.ts'
import { waitUntil } from '#test/support/wait-until.ts'

test('what was committed comes into the database file without the writer having to do it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-checkpoints-'))
  const path = join(folder, 'offhook.db')
  const store = await openStore({ url: `sqlite:${path}` })
  try {
    const tenant = await makeTenant(store)
    await accept(store, tenant, [callEvent(tenant, 'a'), callEvent(tenant, 'b')])
    // The file alone, without its log: what a checkpoint has brought there.
    const eventsInFile = async () => {
      const copy = join(folder, 'copy.db')
      await copyFile(path, copy)
      using db = new DatabaseSync(copy)
      return db.prepare('select count(*) as events from event').get()?.events
    }
    expect(
      await waitUntil(async () => (await eventsInFile()) === 2, { what: 'both are there' }),
    ).toBe(true)
  } finally {
    await store.close()
    await rm(folder, { recursive: true })
  }
})
