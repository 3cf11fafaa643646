/** What the promises of the store rest on: real files, real processes, real kills. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acceptEvents } from '#server/store/accept.ts'
import { ensureAccount } from '#server/store/accounts.ts'
import { readCapture } from '#server/store/captures.ts'
import { listEvents } from '#server/store/events.ts'
import { needMigrated } from '#server/store/migrate.ts'
import { openStore } from '#server/store/open-store.ts'
import { acceptanceOf, callEvent, makeTenant, makeWebhook } from '#test/conformance/fixture.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let folder: string
let path: string
let url: string
const children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-open-'))
  path = join(folder, 'offhook.db')
  url = `sqlite:${path}`
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await rm(folder, { recursive: true })
})

/** A process that runs the text as a module; resolves with its first line of output. */
async function runModule(source: string): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let line = ''
  for await (const chunk of child.stdout ?? []) {
    line += chunk
    if (line.includes('\n')) break
  }
  return { child, line: line.trim() }
}

const openAndStay = () => `
  import { openStore } from '#server/store/open-store.ts'
  try {
    await openStore({ url: ${JSON.stringify(url)} })
    console.log('open')
    setInterval(() => {}, 1e6)
  } catch (error) {
    console.log(error.code)
  }`

describe('one process on a database', () => {
  test('a second one is refused until the first is gone, also when it was killed', async () => {
    const first = await runModule(openAndStay())
    expect(first.line).toBe('open')
    await expect(openStore({ url })).rejects.toMatchObject({
      code: 'database_in_use',
      message: expect.stringContaining(path),
    })
    expect((await runModule(openAndStay())).line).toBe('database_in_use')
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')
    const store = await openStore({ url })
    await store.close()
    expect((await runModule(openAndStay())).line).toBe('open')
  })

  test('the refusal leaves the first one as it was', async () => {
    const store = await openStore({ url })
    await expect(openStore({ url })).rejects.toMatchObject({ code: 'database_in_use' })
    expect(await ensureAccount(store, 'a', 1)).toMatchObject({ name: 'a' })
    await store.close()
  })

  test('closed, nothing but the database, its lock file and its key is left', async () => {
    const store = await openStore({ url })
    await ensureAccount(store, 'a', 1)
    await store.close()
    for (const suffix of ['-wal', '-shm', '.lock-journal']) {
      await expect(stat(path + suffix)).rejects.toMatchObject({ code: 'ENOENT' })
    }
    await expect(ensureAccount(store, 'a', 1)).rejects.toThrow()
  })
})

describe('migrations', () => {
  const migrateOnly = () => `
    import { Kysely } from 'kysely'
    import { sqliteFacts } from '#server/store/dialect.ts'
    import { migrate } from '#server/store/migrate.ts'
    import { createTurnstile, sqliteDialect } from '#server/store/sqlite-dialect.ts'
    import { startSqliteThread } from '#server/store/sqlite-thread.ts'
    const thread = await startSqliteThread({ path: ${JSON.stringify(path)}, access: 'write', lockPath: null, node: 'test' })
    const db = new Kysely({ dialect: sqliteDialect(thread, createTurnstile(), 'durable') })
    console.log(JSON.stringify(await migrate(db, sqliteFacts, Date.now())))
    await thread.close()`

  test('of processes that start at once, one runs each of them', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => runModule(migrateOnly())))
    expect(runs.map((run) => run.line).sort()).toEqual(['[1]', '[]', '[]'])
  })

  test('what works beside makes nothing, and leaves an older database as it is', async () => {
    const beside = { url, beside: true }
    await expect(openStore(beside)).rejects.toMatchObject({ code: 'database_missing' })
    await writeFile(path, '')
    await expect(openStore(beside)).rejects.toMatchObject({ code: 'database_missing' })
    expect(await readdir(folder)).toEqual(['offhook.db'])
    await (await openStore({ url })).close()
    const store = await openStore(beside)
    const next = { number: 2, name: 'next', up: async () => undefined }
    await expect(
      needMigrated(store.write, store.facts, folder, [{ ...next, number: 1 }, next]),
    ).rejects.toMatchObject({ code: 'database_older' })
    await store.close()
  })

  test('a database of a newer program is refused and left alone', async () => {
    await (await openStore({ url })).close()
    const raw = new DatabaseSync(path)
    raw.exec("insert into migration values (999, 'future', 0)")
    raw.close()
    await expect(openStore({ url })).rejects.toMatchObject({
      code: 'database_newer',
      message: expect.stringContaining('999'),
    })
  })
})

describe('what can be wrong with the disk', () => {
  test('a folder that cannot be written', async () => {
    // Not even root can make files there.
    const nowhere = { url: 'sqlite:/proc/offhook/offhook.db' }
    await expect(openStore(nowhere)).rejects.toMatchObject({ code: 'database_not_writable' })
    const unwritable = { url: 'sqlite:/proc/offhook.db' }
    await expect(openStore(unwritable)).rejects.toMatchObject({ code: 'database_not_writable' })
  })

  test('a file that is no database', async () => {
    await writeFile(path, 'this is not a database, it is a letter to somebody'.repeat(100))
    await expect(openStore({ url })).rejects.toMatchObject({ code: 'database_corrupt' })
  })

  test('full: the batch is refused as a whole, and taken when there is space', async () => {
    const store = await openStore({ url })
    const tenant = await makeTenant(store)
    await makeWebhook(store, tenant)
    const pages = await sql<{ page_count: number }>`pragma page_count`.execute(store.write)
    const limit = (pages.rows[0]?.page_count ?? 0) + 3
    await sql`pragma max_page_count = ${sql.lit(limit)}`.execute(store.write)
    const events = Array.from({ length: 40 }, (_, i) => callEvent(tenant, `call ${i}`))
    const openCalls = { put: [{ key: 'k', json: '1' }], delete: [] }
    const batch = acceptanceOf(tenant, events, { cursor: '1', openCalls })
    await expect(acceptEvents(store, batch)).rejects.toMatchObject({ code: 'storage_full' })
    expect((await listEvents(store, tenant.account.id, {}, { limit: 10 })).items).toEqual([])
    expect(await readCapture(store, tenant.serviceUuid)).toEqual({ cursor: null, openCalls: [] })

    await sql`pragma max_page_count = 1000000`.execute(store.write)
    expect(await acceptEvents(store, batch)).toMatchObject({ events: 40, deliveries: 40 })
    await store.close()
  })
})

describe('whether writes are taken', () => {
  test('a batch that found the disk full is remembered until one is taken', async () => {
    await using parts = new AsyncDisposableStack()
    const store = parts.adopt(await openStore({ url }), (s) => s.close())
    const tenant = await makeTenant(store)
    await store.checkWrites()
    const pages = await sql<{ page_count: number }>`pragma page_count`.execute(store.write)
    const limit = (pages.rows[0]?.page_count ?? 0) + 1
    await sql`pragma max_page_count = ${sql.lit(limit)}`.execute(store.write)
    const events = Array.from({ length: 40 }, (_, i) => callEvent(tenant, `call ${i}`))
    const openCalls = { put: [], delete: [] }
    const batch = acceptanceOf(tenant, events, { cursor: '1', openCalls })
    await expect(acceptEvents(store, batch)).rejects.toMatchObject({ code: 'storage_full' })
    // Something small still finds room.
    await ensureAccount(store, 'small', 1)
    await expect(store.checkWrites()).rejects.toMatchObject({ code: 'storage_full' })
    await sql`pragma max_page_count = 1000000`.execute(store.write)
    await acceptEvents(store, batch)
    await store.checkWrites()
  })

  test('a database that became read-only is found out without traffic', async () => {
    await using parts = new AsyncDisposableStack()
    const store = parts.adopt(await openStore({ url }), (s) => s.close())
    await sql`pragma query_only = on`.execute(store.write)
    await expect(store.checkWrites()).rejects.toMatchObject({ code: 'database_not_writable' })
    await sql`pragma query_only = off`.execute(store.write)
    await waitUntil(
      async () =>
        await store.checkWrites().then(
          () => true,
          () => false,
        ),
      { what: 'writes are taken again' },
    )
  })

  test('one that somebody else keeps locked does not hold the answer up', async () => {
    await using parts = new AsyncDisposableStack()
    const store = parts.adopt(await openStore({ url }), (s) => s.close())
    const other = new DatabaseSync(path)
    parts.defer(() => other.close())
    other.exec('begin immediate')
    await expect(store.checkWrites()).rejects.toMatchObject({ code: 'database_busy' })
    other.exec('rollback')
    await waitUntil(
      async () =>
        await store.checkWrites().then(
          () => true,
          () => false,
        ),
      { what: 'writes are taken again' },
    )
  })
})

describe('the key of the secrets', () => {
  const keyPath = () => join(folder, 'secret.key')

  test('is made once, for the owner only', async () => {
    await (await openStore({ url })).close()
    const key = await readFile(keyPath())
    expect((await stat(keyPath())).mode & 0o777).toBe(0o600)
    await (await openStore({ url })).close()
    expect(await readFile(keyPath())).toEqual(key)
  })

  test('a lost or foreign key is noticed at start, before anything is sealed with it', async () => {
    await (await openStore({ url })).close()
    await rm(keyPath())
    await expect(openStore({ url })).rejects.toMatchObject({ code: 'secret_key_wrong' })
    await writeFile(keyPath(), 'short')
    await expect(openStore({ url })).rejects.toMatchObject({ code: 'secret_key_wrong' })
  })
})

describe('threads', () => {
  test('a long list holds up neither a commit nor the event loop', async () => {
    const store = await openStore({ url })
    let done = false
    const count = sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000000)
      select count(*) from n`
    const long = count.execute(store.read).then(() => {
      done = true
    })
    await ensureAccount(store, 'a', 1)
    expect(done).toBe(false)
    await long
    await store.close()
  })

  test('a transaction sees what it wrote, others do not before it commits', async () => {
    const store = await openStore({ url })
    const names = async (db: typeof store.read) =>
      (await db.selectFrom('account').select('name').execute()).map((row) => row.name)
    await store.write.transaction().execute(async (trx) => {
      await trx
        .insertInto('account')
        .values({ id: 'acc_1', name: 'a', matching_version: 0, created_at: 0 })
        .execute()
      expect(await names(trx)).toEqual(['a'])
      expect(await names(store.read)).toEqual([])
    })
    expect(await names(store.read)).toEqual(['a'])
    await store.close()
  })

  test('a transaction that throws leaves nothing, and the next one works', async () => {
    const store = await openStore({ url })
    const failing = store.write.transaction().execute(async (trx) => {
      await trx
        .insertInto('account')
        .values({ id: 'acc_1', name: 'a', matching_version: 0, created_at: 0 })
        .execute()
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await store.read.selectFrom('account').selectAll().execute()).toEqual([])
    expect(await ensureAccount(store, 'a', 1)).toMatchObject({ name: 'a' })
    await store.close()
  })
})
