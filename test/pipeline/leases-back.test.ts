/** What goes back to the database without an attempt: while a webhook is set aside, and after our own failure. */
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSender, type Sender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import type { DeliverDeps } from '#server/pipeline/deliverer.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import type { Store } from '#server/store/store.ts'
import {
  accept,
  callEvent,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let parts: AsyncDisposableStack
let store: Store
let tenant: Tenant
let sender: Sender
let logged: string[]

beforeEach(async () => {
  parts = new AsyncDisposableStack()
  store = parts.use(await openSqliteTestStore()).store
  sender = parts.adopt(createSender({ policy: loopbackPolicy }), (one) => one.close())
  tenant = await makeTenant(store)
  logged = []
})
afterEach(async () => await parts.disposeAsync())

async function run(change: Partial<DeliverDeps> = {}): Promise<void> {
  const note = (_facts: object, message: string) => logged.push(message)
  const log = { info: note, warn: note, error: note }
  const own = { store, sender, templates, version: 'test', maxInFlight: 64, disableAfterMs: null }
  const end = new AbortController()
  const ended = runDeliver({ ...own, stopMs: 0, log, now: Date.now, ...change }, end.signal)
  parts.defer(async () => {
    end.abort()
    await ended
  })
  await waitUntil(() => store.courier !== null, { what: 'it delivers' })
}

const counts = async () => await countDeliveries(store, tenant.account.id, null)

test('what is leased of a webhook that is set aside goes back once, however long the work lasts', async () => {
  const receiver = parts.use(await startReceiver())
  const webhook = await makeWebhook(store, tenant, { url: receiver.url })
  await sql`create table went_back (seq integer)`.execute(store.write)
  await sql`create trigger note_back after update of state on delivery
    when old.state = 'leased' and new.state = 'pending'
    begin insert into went_back values (new.seq); end`.execute(store.write)
  const wentBack = async () => {
    const { rows } = await sql<{ n: number }>`select count(*) as n from went_back`.execute(
      store.read,
    )
    return rows[0]?.n
  }
  await run()
  const work = Promise.withResolvers<string>()
  const aside = store.courier?.setAside(webhook.id, () => work.promise)
  await accept(
    store,
    tenant,
    [1, 2, 3].map((n) => callEvent(tenant, `call ${n}`)),
  )
  await waitUntil(async () => (await counts()).leased === 3, { what: 'they are leased' })
  // Time for some hundred claims.
  await pause(500)
  expect(await wentBack()).toBe(0)
  expect(receiver.requests).toEqual([])
  work.resolve('done')
  expect(await aside).toEqual({ result: 'done', cameBack: true })
  await receiver.waitFor((requests) => requests.length === 3, 'all of them')
  await waitUntil(async () => (await counts()).delivered === 3, { what: 'it is written down' })
  expect(await wentBack()).toBeLessThanOrEqual(6)
  expect(receiver.requests).toHaveLength(3)
})

test('what could not be sent is put off, also where the database refuses that at first', async () => {
  const receiver = parts.use(await startReceiver())
  await makeWebhook(store, tenant, { url: receiver.url })
  await sql`create trigger refuse before update of state on delivery
    when old.state = 'leased' and new.state = 'pending'
    begin select raise(abort, 'refused by the test'); end`.execute(store.write)
  const attempt = async () => await Promise.reject(new Error('no file descriptors left'))
  await run({ sender: { attempt } })
  await accept(store, tenant, [callEvent(tenant, 'call')])
  const refused = (line: string) => /cannot be returned|not written down/.test(line)
  await waitUntil(() => logged.some(refused), { what: 'the database has refused' })
  await sql`drop trigger refuse`.execute(store.write)
  await waitUntil(async () => (await counts()).pending === 1, {
    what: 'it is put off, and its lease has not to run out',
    timeoutMs: 3_000,
  })
})
