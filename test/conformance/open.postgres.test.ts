/** Opening a PostgreSQL: many at once, and what can be wrong with it. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { openStore } from '#server/store/open-store.ts'
import { preparePartitions } from '#server/store/partitions.ts'
import { accept, callEvent, makeTenant } from '#test/conformance/fixture.ts'
import { createTestDatabase } from '#test/conformance/postgres-test-store.ts'
import { freeTcpPort } from '#test/support/free-port.ts'

async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

test('of many that start at once on an empty database one makes the tables', async () => {
  await using database = await createTestDatabase()
  const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(database)))
  expect(await query(database.url, 'select number from migration')).toEqual([{ number: 1 }])
  expect(new Set(stores.map((store) => store.node)).size).toBe(8)
  // And so it is with the tables of a day.
  await Promise.all(stores.map((store) => preparePartitions(store, 5 * 86_400_000)))
  const tenants = await Promise.all(stores.map((store) => makeTenant(store)))
  await Promise.all(
    stores.map(async (store, i) => {
      const tenant = tenants[i]
      if (tenant !== undefined) await accept(store, tenant, [callEvent(tenant, 'a')], 2_000)
    }),
  )
  expect(await query(database.url, 'select count(*)::int as events from event_body')).toEqual([
    { events: 8 },
  ])
  for (const store of stores) await store.close()
})

test('a command beside makes no tables and no key', async () => {
  await using database = await createTestDatabase()
  const beside = { ...database, beside: true }
  await expect(openStore(beside)).rejects.toMatchObject({ code: 'database_missing' })
  expect(await query(database.url, "select to_regclass('migration') as made")).toEqual([
    { made: null },
  ])
  await expect(access(database.keyPath)).rejects.toThrow('ENOENT')
  await (await openStore(database)).close()
  await (await openStore(beside)).close()
  await query(database.url, 'delete from migration')
  await expect(openStore(beside)).rejects.toMatchObject({ code: 'database_missing' })
})

test('a newer database, and another key, are refused and left alone', async () => {
  await using database = await createTestDatabase()
  await (await openStore(database)).close()
  const elsewhere = { ...database, keyPath: join(database.keyPath, '..', 'other.key') }
  await expect(openStore(elsewhere)).rejects.toMatchObject({ code: 'secret_key_wrong' })
  await query(database.url, "insert into migration values (999, 'future', 0)")
  await expect(openStore(database)).rejects.toMatchObject({ code: 'database_newer' })
})

test('what is wrong with the address is told without the password', async () => {
  await using database = await createTestDatabase()
  const closed = `postgres://offhook:geheim@127.0.0.1:${await freeTcpPort()}/offhook`
  const missing = database.url.replace(/[^/]+$/, 'nobody')
  const wrong = [
    [closed, 'database_unreachable'],
    [missing, 'database_failed'],
    ['postgres://offhook:geheim@no-such-host.invalid/offhook', 'database_unreachable'],
  ] as const
  for (const [url, code] of wrong) {
    await expect(openStore({ ...database, url })).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining('geheim'),
    })
  }
})
