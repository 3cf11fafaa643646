/** Two processes that deliver from one PostgreSQL, as far as a lane can tell: two stores, each with its deliverer. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { claimDue } from '#server/store/claim.ts'
import type { Courier } from '#server/store/courier.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { openStore } from '#server/store/open-store.ts'
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
import { startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy } from '#test/support/sending.ts'
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
  const leases: Parameters<Courier['take']>[0][number][] = []
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
  expect(
    (await claimDue(there, { now: 1_200, limit: 50, troubledLimit: 50, ahead: 50 })).leases,
  ).toHaveLength(1)
  await succeed(here, mine.leases[9] as (typeof mine.leases)[number], 1_300)
  const rest = await claimDue(here, { now: 1_400, limit: 50, troubledLimit: 50, ahead: 50 })
  expect(rest.leases).toHaveLength(1)
  expect(await counts()).toMatchObject({ delivered: 20, leased: 2, pending: 1 })
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
    const own = { store, sender, version: 'test', maxInFlight: 64, disableAfterMs: null }
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
