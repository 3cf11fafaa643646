/** The end of the deliverer on a PostgreSQL that hangs. */
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { accept, callEvent, makeTenant, makeWebhook } from '#test/conformance/fixture.ts'
import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

test('a stop ends within its time while every statement of the queue hangs', async () => {
  await using parts = new AsyncDisposableStack()
  const { store, database } = parts.use(await openPostgresTestStore())
  const receiver = parts.use(await startReceiver())
  receiver.setMode('stall')
  const tenant = await makeTenant(store)
  await makeWebhook(store, tenant, { url: receiver.url })
  const sender = parts.adopt(createSender({ policy: loopbackPolicy }), (one) => one.close())
  const logged: string[] = []
  const note = (_facts: object, message: string) => logged.push(message)
  const log = { info: note, warn: note, error: note }
  const end = new AbortController()
  const own = { store, sender, templates, version: 'test', maxInFlight: 64, disableAfterMs: null }
  const running = runDeliver({ ...own, stopMs: 300, log, now: Date.now }, end.signal)
  await waitUntil(() => store.courier !== null, { what: 'it delivers' })
  await accept(store, tenant, [callEvent(tenant, 'call')])
  await receiver.waitFor((requests) => requests.length === 1, 'a request is under way')

  const holder = new Client({ connectionString: database.url })
  await holder.connect()
  parts.defer(async () => await holder.end())
  await holder.query('begin')
  await holder.query('lock table delivery, lane in access exclusive mode')
  const waiting = async () =>
    (await holder.query(`select 1 from pg_locks where not granted limit 1`)).rowCount === 1
  await waitUntil(waiting, { what: 'the loop hangs in a claim' })

  const began = performance.now()
  end.abort()
  await running
  // Locks are waited for up to ten seconds.
  expect(performance.now() - began).toBeLessThan(3_000)
  expect(logged).toContain('deliver: the database did not answer before the stop was over')
  await holder.query('rollback')
  // What was asked of it before the end it does when it can.
  await waitUntil(
    async () => (await countDeliveries(store, tenant.account.id, null)).pending === 1,
    { what: 'the lease is returned' },
  )
})
