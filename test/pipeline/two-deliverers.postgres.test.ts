/** Two processes that deliver from one PostgreSQL, as far as a lane can tell: two stores, each with its deliverer. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { claimDue, type Lease } from '#server/store/claim.ts'
import type { Courier } from '#server/store/courier.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { openStore } from '#server/store/open-store.ts'
import { reapLeases } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import {
  accept,
  acceptanceOf,
  callEvent,
  claim,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'
import { startPostgres } from '#test/support/postgres-server.ts'
import { startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let parts: AsyncDisposableStack
let here: Store
let there: Store
let tenant: Tenant
const logged: string[] = []
const secret = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`

beforeEach(async () => {
  parts = new AsyncDisposableStack()
  const opened = parts.use(await openPostgresTestStore())
  here = opened.store
  there = parts.adopt(await openStore(opened.database), async (store) => await store.close())
  tenant = await makeTenant(here)
  logged.length = 0
})
afterEach(async () => await parts.disposeAsync())

const counts = async () => await countDeliveries(here, tenant.account.id, null)
const calls = (from: number, to: number): Event[] =>
  Array.from({ length: to - from }, (_, i) => callEvent(tenant, `call ${from + i}`))

/** Takes all that it is given. */
const keeps = (ahead: number) => {
  const leases: Lease[] = []
  const courier: Courier = {
    room: () => ({ limit: 1_000, ahead }),
    take: (more) => leases.push(...more),
    setAside: async (_webhookId, work) => ({ result: await work(), cameBack: false }),
  }
  return { leases, courier }
}

test('what one has leased beyond the concurrency the other leaves to it, and hands over nothing itself', async () => {
  await makeWebhook(here, tenant, { concurrency: 2 })
  const [mine, theirs] = [keeps(50), keeps(50)]
  here.courier = mine.courier
  there.courier = theirs.courier
  // From then on it is known to be quick, and to take what it gets.
  for (let i = 0; i < 10; i += 1) {
    await accept(here, tenant, calls(i, i + 1))
    const [lease] = mine.leases.splice(0)
    if (lease === undefined) throw new Error('nothing was handed over')
    await succeed(here, lease, 1_000)
  }
  await accept(here, tenant, calls(10, 20))
  expect(mine.leases).toHaveLength(10)
  await accept(there, tenant, calls(20, 23))
  expect(theirs.leases).toEqual([])
  expect((await claim(there, 1_000)).leases).toEqual([])

  for (const lease of mine.leases.slice(0, 9)) await succeed(here, lease, 1_100)
  // One is under way here: there is room for one more, and the lane is nobody's own.
  const ahead = { limit: 50, troubledLimit: 50, ahead: 50 }
  const elsewhere = await claimDue(there, { now: 1_200, ...ahead })
  expect(elsewhere.leases).toHaveLength(1)
  await succeed(here, mine.leases[9] as Lease, 1_300)
  const rest = await claimDue(here, { now: 1_400, ...ahead })
  expect(rest.leases).toHaveLength(1)
  expect(await counts()).toMatchObject({ delivered: 20, leased: 2, pending: 1 })

  // What one has alone in the end is its own again, also while the lane is busy.
  const lane = async () =>
    await here.read.selectFrom('lane').select(['holder', 'in_flight']).executeTakeFirstOrThrow()
  await succeed(there, elsewhere.leases[0] as Lease, 1_500)
  expect(await lane()).toEqual({ holder: null, in_flight: 1 })
  await reapLeases(there, [], 1_600)
  expect(await lane()).toEqual({ holder: null, in_flight: 1 })
  await reapLeases(here, rest.leases, 1_600)
  expect(await lane()).toEqual({ holder: here.holder(), in_flight: 1 })
})

test('what a lost connection leased, nobody knows, holds up its call and comes back before its lease is over', async () => {
  // A server of its own: its commits wait for a standby that there is not.
  const server = parts.use(await startPostgres())
  const url = await server.createDatabase('lost')
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-lost-')), async (path) => {
    await rm(path, { recursive: true })
  })
  const store = parts.adopt(
    await openStore({ url, keyPath: join(folder, 'secret.key') }),
    async (one) => await one.close(),
  )
  const own = await makeTenant(store)
  await makeWebhook(store, own, { concurrency: 5 })
  const { leases, courier } = keeps(50)
  store.courier = courier
  const admin = new Client({ connectionString: url })
  await admin.connect()
  parts.defer(async () => await admin.end())
  const standby = async (names: string) => {
    await admin.query(`alter system set synchronous_standby_names = '${names}'`)
    await admin.query('select pg_reload_conf()')
    const shown = async () => (await admin.query('show synchronous_standby_names')).rows
    await waitUntil(async () => (await shown())[0]?.synchronous_standby_names === names, {
      what: 'it is so',
    })
  }
  const events = [1, 2].map((n) => callEvent(own, 'call', n))
  await standby('nobody')
  const lost = accept(store, own, events.slice(0, 1))
  lost.catch(() => undefined)
  await waitUntil(
    async () => {
      const ended = await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where wait_event = 'SyncRep'`)
      return (ended.rowCount ?? 0) > 0
    },
    { what: 'the commit is cut off' },
  )
  await expect(lost).rejects.toMatchObject({ code: 'database_unreachable' })
  await standby('')
  const states = async () => await countDeliveries(store, own.account.id, null)
  await waitUntil(async () => (await states()).leased === 1, { what: 'it was committed' })

  await accept(store, own, events.slice(1))
  expect(leases).toEqual([])
  expect((await claim(store, 1_000)).leases).toEqual([])
  expect(await reapLeases(store, [], 1_001)).toBe(1)
  const [first, ...others] = (await claim(store, 1_002)).leases
  expect(others).toEqual([])
  expect(first?.event.id).toBe(events[0]?.id)
  expect(await succeed(store, first as Lease, 1_003)).toBe(true)
  expect((await claim(store, 1_004)).leases.map((l) => l.event.id)).toEqual([events[1]?.id])
})

test('both accept for one webhook: its concurrency and the order of its calls hold over both, all arrives once', async () => {
  const concurrency = 3
  const receiver = parts.use(await startReceiver({ secret }))
  let open = 0
  let most = 0
  receiver.respond(async () => {
    open += 1
    most = Math.max(most, open)
    await pause(Math.random() * 6)
    open -= 1
    return {}
  })
  await makeWebhook(here, tenant, { url: receiver.url, secret, concurrency })
  const end = new AbortController()
  const running = [here, there].map(async (store) => {
    const sender = createSender({ policy: loopbackPolicy })
    const note = (_facts: object, message: string) => logged.push(message)
    const log = { info: note, warn: note, error: note }
    const own = { store, sender, templates, version: 'test', maxInFlight: 64, disableAfterMs: null }
    await runDeliver({ ...own, stopMs: 5_000, log, now: Date.now }, end.signal)
    await sender.close()
  })
  await waitUntil(() => here.courier !== null && there.courier !== null, { what: 'both deliver' })
  const rounds = 40
  // A PBX whose calls are captured here, then there, then here again.
  for (let i = 0; i < rounds; i += 1) {
    const events = Array.from({ length: 6 }, (_, j) =>
      callEvent(tenant, `call ${Math.floor(i / 4)} ${j % 3}`, (i % 4) * 2 + Math.floor(j / 3) + 1),
    )
    const store = Math.floor(i / 3) % 2 === 0 ? here : there
    await acceptEvents(store, acceptanceOf(tenant, events, { now: Date.now() }))
    await pause(Math.random() * 10)
  }
  const all = rounds * 6
  await waitUntil(async () => (await counts()).delivered === all, {
    what: 'all is delivered',
    timeoutMs: 20_000,
  })
  end.abort()
  await Promise.all(running)

  expect(receiver.requests).toHaveLength(all)
  expect(new Set(receiver.requests.map(({ event }) => event?.id)).size).toBe(all)
  expect(most).toBeLessThanOrEqual(concurrency)
  const last = new Map<string, number>()
  for (const { event } of receiver.requests) {
    if (event === null || !('call' in event)) throw new Error('not an event of a call')
    expect(event.sequence).toBe((last.get(event.call.uuid) ?? 0) + 1)
    last.set(event.call.uuid, event.sequence)
  }
  expect(logged).toEqual([])
})
