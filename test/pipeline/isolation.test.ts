/** Breaker, rate limit, automatic disable and recovery with the deliverer running and receivers on real sockets. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import type { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { createSender, type Sender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import type { DeliverDeps } from '#server/pipeline/deliverer.ts'
import { takeSteps } from '#server/pipeline/take-steps.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { openStore } from '#server/store/open-store.ts'
import { recoverStep, resendDelivery } from '#server/store/resend.ts'
import type { Store } from '#server/store/store.ts'
import { getWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  acceptanceOf,
  callEvent,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import { type Receiver, startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let opened: Awaited<ReturnType<typeof openSqliteTestStore>>
let store: Store
let tenant: Tenant
let sender: Sender
let running: { stop: () => Promise<void> } | null
let receivers: Receiver[]
/** Added to the wall clock that the deliverer sees. */
let ahead: number

beforeEach(async () => {
  opened = await openSqliteTestStore()
  store = opened.store
  tenant = await makeTenant(store)
  sender = createSender({ policy: loopbackPolicy })
  running = null
  receivers = []
  ahead = 0
})

afterEach(async () => {
  await running?.stop()
  await sender.close()
  for (const receiver of receivers) await receiver.stop()
  await opened[Symbol.asyncDispose]()
})

const now = () => Date.now() + ahead

function run(change: Partial<DeliverDeps> = {}): void {
  const end = new AbortController()
  const ended = runDeliver(
    {
      store,
      sender,
      templates,
      version: 'test',
      maxInFlight: 64,
      disableAfterMs: 5 * 86_400_000,
      stopMs: 5_000,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      now,
      ...change,
    },
    end.signal,
  )
  running = {
    async stop() {
      running = null
      end.abort()
      await ended
    },
  }
}

async function receiverWith(settings: Partial<WebhookDraft> = {}) {
  const receiver = await startReceiver({})
  receivers.push(receiver)
  const webhook = await makeWebhook(store, tenant, { url: receiver.url, ...settings })
  return { receiver, webhook }
}

let named = 0
async function accept(count: number): Promise<readonly Event[]> {
  const events = Array.from({ length: count }, () => {
    named += 1
    return callEvent(tenant, `isolated ${named}`)
  })
  await acceptEvents(store, acceptanceOf(tenant, events, { now: now() }))
  return events
}

const counts = async (id: string) => await countDeliveries(store, tenant.account.id, id)
const breakerOf = async (id: string) => {
  const webhook = await getWebhook(store, tenant.account.id, id)
  if (webhook === null) throw new Error('no webhook')
  return webhook.breaker
}
/** When the newest attempt of each delivery began, epoch milliseconds. */
async function startsOf(webhookId: string): Promise<readonly number[]> {
  const { id } = tenant.account
  const { items } = await listDeliveries(store, id, { webhookId }, { limit: 100 })
  const attempts = items.map((delivery) => listAttempts(store, id, delivery.id, { limit: 1 }))
  const newest = (await Promise.all(attempts)).flatMap((page) => page?.items ?? [])
  return newest.map(({ started_at }) => Date.parse(started_at))
}
const untilBreaker = async (id: string, state: string) =>
  await waitUntil(async () => (await breakerOf(id)).state === state, { what: `it is ${state}` })

test('an outage costs a few requests and one probe at a time, no delivery its tries, and nothing is lost', async () => {
  const { receiver, webhook } = await receiverWith({ retries: 1 })
  receiver.setMode('fail')
  run()
  await accept(30)
  await untilBreaker(webhook.id, 'open')
  await waitUntil(async () => (await counts(webhook.id)).leased === 0, { what: 'all have ended' })
  // Five in a row, and what was under way beside the fifth.
  const first = receiver.requests.length
  expect(first).toBeLessThanOrEqual(9)
  for (let probes = 1; probes <= 6; probes += 1) {
    ahead += 400_000
    await receiver.waitFor((r) => r.length === first + probes, `probe ${probes}`)
    await untilBreaker(webhook.id, 'open')
    expect((await breakerOf(webhook.id)).failures).toBe(first + probes)
  }
  expect(await counts(webhook.id)).toMatchObject({ held: 30, exhausted: 0 })
  receiver.setMode('ok')
  ahead += 400_000
  await waitUntil(async () => (await counts(webhook.id)).delivered === 30, {
    what: 'all are delivered',
  })
  expect(await breakerOf(webhook.id)).toMatchObject({ state: 'closed', failures: 0 })
  expect(receiver.requests).toHaveLength(first + 6 + 30)
})

test('an attempt says that the breaker puts the next one off', async () => {
  const { receiver, webhook } = await receiverWith({ retries: 3 })
  receiver.setMode('fail')
  run()
  await accept(5)
  await untilBreaker(webhook.id, 'open')
  await waitUntil(async () => (await counts(webhook.id)).leased === 0, { what: 'all have ended' })
  await accept(1)
  ahead += 10_000
  await receiver.waitFor((r) => r.length === 6, 'the probe, with the first try')
  await untilBreaker(webhook.id, 'open')
  const { items } = await listDeliveries(store, tenant.account.id, {}, { limit: 9 })
  const attempts = await Promise.all(
    items.map((d) => listAttempts(store, tenant.account.id, d.id, { limit: 1 })),
  )
  const last = attempts
    .flatMap((page) => page?.items ?? [])
    .filter((a) => a.decision.includes('The circuit breaker is open: not before'))
  const { next_probe_at } = await breakerOf(webhook.id)
  expect(last.filter((a) => a.next_try_at === next_probe_at)).toMatchObject([
    { decision: expect.stringContaining('it counts as none of the tries') },
  ])
})

test('a rate limit holds over seconds, and the receiver beside it has no part in it', async () => {
  const slow = await receiverWith({ rate_limit: 25, concurrency: 100 })
  const fast = await receiverWith({ concurrency: 100 })
  run()
  await accept(80)
  const begin = performance.now()
  await fast.receiver.waitFor((r) => r.length === 80, 'the other one has all')
  const fastMs = performance.now() - begin
  await waitUntil(async () => (await counts(slow.webhook.id)).delivered === 80, {
    what: 'all',
    timeoutMs: 20_000,
  })
  // When they were sent: the receiver shares our event loop, and takes late and together what was sent in time.
  const sent = await startsOf(slow.webhook.id)
  expect(sent).toHaveLength(80)
  for (const at of sent) {
    const within = sent.filter((other) => other >= at && other < at + 1_000).length
    // 25 and a tenth of a second's worth; a loop that was held up can bunch what it claimed with what it claims next.
    expect(within).toBeLessThanOrEqual(25 + 2 + 3)
  }
  const slowMs = Math.max(...sent) - Math.min(...sent)
  // 78 requests follow the first two.
  expect(slowMs).toBeGreaterThan((78 / 25) * 1_000 - 200)
  expect(fastMs).toBeLessThan(slowMs)
})

test('nothing but failures for the time disables it; enabled again, all that was held goes out', async () => {
  const { receiver, webhook } = await receiverWith({ retries: 20 })
  const watcher = await receiverWith({ triggers: ['webhook.disabled'] })
  receiver.setMode('reset')
  run({ disableAfterMs: 60_000 })
  await accept(6)
  await untilBreaker(webhook.id, 'open')
  ahead += 61_000
  const [told] = await watcher.receiver.waitFor((r) => r.length > 0, 'webhook.disabled')
  expect(told?.event).toMatchObject({ webhook: { id: webhook.id, reason: 'failing' } })
  await accept(4)
  expect(await counts(webhook.id)).toMatchObject({ held: 10 })
  receiver.setMode('ok')
  const before = receiver.requests.length
  await setWebhookEnabled(store, tenant.account.id, webhook.id, true, now())
  ahead += 86_400_000
  await waitUntil(async () => (await counts(webhook.id)).delivered === 10, { what: 'all of it' })
  expect(receiver.requests).toHaveLength(before + 10)
})

test('a resend has the same event id, says which time it is, and the attempt knows it', async () => {
  const { receiver } = await receiverWith()
  run()
  const [event] = await accept(1)
  await receiver.waitFor((r) => r.length === 1, 'the event')
  const { id } = tenant.account
  const list = async () => (await listDeliveries(store, id, {}, { limit: 1 })).items[0]
  for (const time of [1, 2]) {
    await waitUntil(async () => (await list())?.state === 'delivered', { what: 'it is delivered' })
    await resendDelivery(store, id, (await list())?.id ?? '', now())
    await receiver.waitFor((r) => r.length === 1 + time, `resend ${time}`)
  }
  expect(receiver.requests.map((r) => r.headers['webhook-id'])).toEqual(Array(3).fill(event?.id))
  expect(receiver.requests.map((r) => r.headers['webhook-resend'])).toEqual([undefined, '1', '2'])
  await waitUntil(async () => (await list())?.attempts === 3, { what: 'it is written down' })
  const attempts = await listAttempts(store, id, (await list())?.id ?? '', { limit: 9 })
  expect(attempts?.items.map((a) => [a.number, a.resend])).toEqual([
    [3, 2],
    [2, 1],
    [1, 0],
  ])
})

/** Makes `count` deliveries of the webhook that were given up. */
async function makeFailed(webhookId: string, count: number): Promise<void> {
  await accept(count)
  await store.write
    .updateTable('delivery')
    .set({ state: 'exhausted', finished_at: now(), attempts: 0 })
    .where('webhook_id', '=', webhookId)
    .execute()
}

const recoverAll = async (webhookId: string) =>
  await takeSteps(
    async (walk, limit) =>
      recoverStep(
        store,
        webhookId,
        { since: 0, until: Number.MAX_SAFE_INTEGER },
        walk,
        limit,
        now(),
      ),
    { startedAt: now(), after: 0 },
    { forMs: Number.POSITIVE_INFINITY, signal: new AbortController().signal },
  )

test('many receivers that turn slow at once and hold every slot keep nobody else waiting', async () => {
  const slow = await startReceiver({})
  slow.setMode('stall')
  receivers.push(slow)
  for (let i = 0; i < 20; i += 1) {
    await makeWebhook(store, tenant, { url: slow.url, timeout_seconds: 60 })
  }
  const other = await makeTenant(store)
  const healthy = await startReceiver({})
  receivers.push(healthy)
  await makeWebhook(store, other, { url: healthy.url })
  run({ stopMs: 0, maxInFlight: 96 })
  await accept(5)
  await slow.waitFor((requests) => requests.length === 64, 'all that was not kept back is theirs')
  for (let i = 1; i <= 10; i += 1) {
    const events = [callEvent(other, `healthy ${i}`)]
    await acceptEvents(store, acceptanceOf(other, events, { now: now() }))
    await healthy.waitFor((requests) => requests.length === i, 'the healthy one has its event')
  }
  // No slot was given back for it, and the slow ones got none of those that were kept back.
  expect(slow.requests).toHaveLength(64)
})

test('while two thousand are recovered, what is live arrives before them', async () => {
  const { receiver, webhook } = await receiverWith({ order: 'none' })
  await makeFailed(webhook.id, 2_000)
  receiver.respond(() => ({ delayMs: 2 }))
  run()
  const recovering = recoverAll(webhook.id)
  await receiver.waitFor((r) => r.length >= 20, 'the first recovered ones')
  const live: string[] = []
  for (let i = 0; i < 10; i += 1) {
    const before = receiver.requests.length
    const [event] = await accept(1)
    live.push(event?.id ?? '')
    await receiver.waitFor((r) => r.some((x) => x.event?.id === event?.id), 'the live event')
    const place = receiver.requests.findIndex((r) => r.event?.id === event?.id) - before
    // What was under way or claimed already, but none of the hundreds that wait.
    expect(place).toBeLessThan(60)
  }
  expect((await recovering).changed).toBe(2_000)
  await receiver.waitFor((r) => r.length === 2_010, 'all', 60_000)
  const resent = receiver.requests.filter((r) => r.headers['webhook-resend'] === '1')
  expect(resent).toHaveLength(2_000)
  expect(resent.every((r) => !live.includes(r.event?.id ?? ''))).toBe(true)
}, 90_000)

test('kill -9 in the middle of a recovery: walked again, each is sent again once', async () => {
  const { receiver, webhook } = await receiverWith({ order: 'none', concurrency: 20 })
  await makeFailed(webhook.id, 1_500)
  await store.close()
  const program = fileURLToPath(new URL('./recover-process.ts', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [program, opened.url, webhook.id], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const died = once(child, 'exit')
  try {
    // It says a word after each step; the third one is under way.
    let words = 0
    for await (const text of child.stdout ?? []) {
      words += String(text).length
      if (words >= 3) break
    }
  } finally {
    child.kill('SIGKILL')
    await died
    store = await openStore({ url: opened.url })
    const before = opened
    opened = {
      ...before,
      store,
      [Symbol.asyncDispose]: async () => {
        await store.close()
        await before[Symbol.asyncDispose]()
      },
    }
  }
  const { exhausted } = await counts(webhook.id)
  expect(exhausted).toBeGreaterThan(0)
  expect(exhausted).toBeLessThan(1_500)
  expect((await recoverAll(webhook.id)).changed).toBe(exhausted)
  run()
  await receiver.waitFor((r) => r.length === 1_500, 'all', 60_000)
  expect(new Set(receiver.requests.map((r) => r.headers['webhook-id'])).size).toBe(1_500)
  expect(new Set(receiver.requests.map((r) => r.headers['webhook-resend']))).toEqual(new Set(['1']))
}, 90_000)

test('a receiver that refuses one in four hears of a backlog without a standstill', async () => {
  const { receiver, webhook } = await receiverWith({ retries: 10 })
  const tried = new Set<unknown>()
  receiver.respond(({ event }) => {
    const again = tried.has(event?.id)
    tried.add(event?.id)
    return again || tried.size % 4 !== 0 ? {} : { status: 503 }
  })
  const events = await accept(800)
  run()
  // Once what was sent back and what was claimed meanwhile chased each other: some 20 a second, and often none at all.
  await receiver.waitFor(() => tried.size === events.length, 'all were tried', 20_000)
  expect((await counts(webhook.id)).pending).toBeLessThanOrEqual(events.length / 4 + 5)
})
