/** The deliverer on a real store, with real receivers on real sockets. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import type { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { createSender, type Sender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import type { DeliverDeps } from '#server/pipeline/deliverer.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { listAttempts } from '#server/store/attempts.ts'
import type { WalkPlace } from '#server/store/bulk.ts'
import { cancelDelivery, cancelWaitingStep } from '#server/store/cancel.ts'
import { countDeliveries } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { listEvents } from '#server/store/events.ts'
import { openStore } from '#server/store/open-store.ts'
import type { Store } from '#server/store/store.ts'
import {
  changeWebhook,
  deleteWebhook,
  getWebhook,
  setWebhookEnabled,
} from '#server/store/webhooks.ts'
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
let logged: string[]

beforeEach(async () => {
  opened = await openSqliteTestStore()
  store = opened.store
  tenant = await makeTenant(store)
  sender = createSender({ policy: loopbackPolicy })
  running = null
  receivers = []
  logged = []
})

afterEach(async () => {
  await running?.stop()
  await sender.close()
  for (const receiver of receivers) await receiver.stop()
  await opened[Symbol.asyncDispose]()
})

function run(change: Partial<DeliverDeps> = {}): void {
  const end = new AbortController()
  const note = (_facts: object, message: string) => logged.push(message)
  const deps: DeliverDeps = {
    store,
    sender,
    templates,
    version: 'test',
    maxInFlight: 64,
    disableAfterMs: null,
    stopMs: 5_000,
    log: { info: note, warn: note, error: note },
    now: Date.now,
    ...change,
  }
  const ended = runDeliver(deps, end.signal)
  running = {
    async stop() {
      running = null
      end.abort()
      await ended
    },
  }
}

/** A receiver, and a webhook that sends to it. */
async function receiverWith(settings: Partial<WebhookDraft> = {}) {
  const secret = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`
  const receiver = await startReceiver({ secret })
  receivers.push(receiver)
  const webhook = await makeWebhook(store, tenant, { url: receiver.url, secret, ...settings })
  return { receiver, webhook }
}

async function accept(events: readonly Event[]): Promise<void> {
  await acceptEvents(store, acceptanceOf(tenant, events, { now: Date.now() }))
}

const counts = async (webhookId: string | null = null) =>
  await countDeliveries(store, tenant.account.id, webhookId)

const calls = (count: number, each = 1): Event[] =>
  Array.from({ length: count * each }, (_, i) =>
    callEvent(tenant, `call ${i % count}`, Math.floor(i / count) + 1),
  )

test('an event arrives signed, once, with the bytes that are stored, and is written down', async () => {
  const { receiver, webhook } = await receiverWith()
  run()
  const [event] = calls(1)
  await accept(calls(1))
  const [request] = await receiver.waitFor((r) => r.length > 0, 'the event')
  expect(request).toMatchObject({ method: 'POST', path: '/', verified: true, event })
  expect(request?.headers).toMatchObject({
    'webhook-id': event?.id,
    'content-type': 'application/json',
    'user-agent': 'Offhook/test',
  })
  await waitUntil(async () => (await counts()).delivered === 1, { what: 'it is written down' })
  const { id } = tenant.account
  const [delivery] = (await listDeliveries(store, id, {}, { limit: 5 })).items
  const attempts = await listAttempts(store, id, delivery?.id ?? '', { limit: 5 })
  expect(attempts?.items).toMatchObject([
    {
      number: 1,
      ok: true,
      status_code: 200,
      request_body: request?.body.toString(),
      request_headers: { 'webhook-id': event?.id },
      decision: 'Delivered.',
    },
  ])
  expect(await getWebhook(store, id, webhook.id)).toMatchObject({ enabled: true })
  expect(receiver.requests).toHaveLength(1)
})

test('the events of each call arrive in their order, with five under way', async () => {
  const { receiver } = await receiverWith({ concurrency: 5 })
  let open = 0
  let most = 0
  receiver.respond(async (request) => {
    open += 1
    most = Math.max(most, open)
    // Later events answer faster: an engine that does not wait would overtake.
    await new Promise((resolve) => setTimeout(resolve, 12 - 3 * (request.event?.sequence ?? 0)))
    open -= 1
    return {}
  })
  run()
  const events = calls(12, 4)
  for (let i = 0; i < events.length; i += 7) await accept(events.slice(i, i + 7))
  const requests = await receiver.waitFor((r) => r.length === 48, 'all events')
  const seen = new Map<string, number[]>()
  for (const { event } of requests) {
    if (event === null || !('call' in event)) throw new Error('no event of a call')
    seen.set(event.call.uuid, [...(seen.get(event.call.uuid) ?? []), event.sequence])
  }
  expect([...seen.values()]).toEqual(Array.from({ length: 12 }, () => [1, 2, 3, 4]))
  expect(most).toBe(5)
})

test('a refused event is tried again with the same id, and holds nobody up', async () => {
  const { receiver } = await receiverWith({ retries: 1 })
  const [one, two] = calls(1, 2)
  if (!one || !two) throw new Error('no events')
  let refused = 0
  receiver.respond((request) => {
    if (request.event?.id !== one.id || refused > 0) return {}
    refused += 1
    return { status: 503, headers: { 'retry-after': '1' } }
  })
  // Time runs six times as fast: the first pause is five seconds.
  const begin = Date.now()
  run({ now: () => begin + (Date.now() - begin) * 6 })
  await accept([one, two])
  const requests = await receiver.waitFor((r) => r.length === 3, 'both events and a retry')
  expect(requests.map((r) => r.event?.id)).toEqual([one.id, two.id, one.id])
  expect(requests.map((r) => r.headers['webhook-id'])).toEqual([one.id, two.id, one.id])
  await waitUntil(async () => (await counts()).delivered === 2, { what: 'both are delivered' })
})

test('given up after the last try, visibly', async () => {
  const { receiver } = await receiverWith({ retries: 0 })
  receiver.setMode('fail')
  run()
  await accept(calls(1))
  await waitUntil(async () => (await counts()).exhausted === 1, { what: 'it is given up' })
  expect(receiver.requests).toHaveLength(1)
})

test('dead and hanging receivers delay the healthy one by nothing', async () => {
  const dead = await receiverWith({ timeout_seconds: 60 })
  dead.receiver.setMode('stall')
  const closed = await receiverWith()
  await closed.receiver.stop()
  const { receiver, webhook } = await receiverWith({ concurrency: 10 })
  run({ maxInFlight: 32, stopMs: 0 })
  await accept(calls(300))
  const begin = performance.now()
  await waitUntil(async () => (await counts(webhook.id)).delivered === 300, {
    what: 'the healthy receiver has all',
  })
  expect(performance.now() - begin).toBeLessThan(8_000)
  expect(receiver.requests).toHaveLength(300)
  // The hanging one has as many as its lane allows, and no more.
  expect(dead.receiver.requests).toHaveLength(5)
})

test('410 disables the webhook and tells it; enabled again, what was held goes out', async () => {
  const { receiver, webhook } = await receiverWith()
  const watcher = await receiverWith({ triggers: ['webhook.disabled'] })
  receiver.respond(() => ({ status: 410 }))
  run()
  const [first, ...rest] = calls(4)
  if (first === undefined) throw new Error('no events')
  await accept([first])
  const [told] = await watcher.receiver.waitFor((r) => r.length > 0, 'webhook.disabled')
  expect(told?.event).toMatchObject({ type: 'webhook.disabled', webhook: { id: webhook.id } })
  await accept(rest)
  expect(await counts(webhook.id)).toMatchObject({ exhausted: 1, held: 3 })
  expect(receiver.requests).toHaveLength(1)
  receiver.respond(() => ({}))
  await setWebhookEnabled(store, tenant.account.id, webhook.id, true, Date.now())
  await receiver.waitFor((r) => r.length === 4, 'what was held')
  const disabled = { type: 'webhook.disabled' as const }
  expect((await listEvents(store, tenant.account.id, disabled, { limit: 5 })).items).toHaveLength(1)
})

test('a receiver that was down for a while gets everything when it is back', async () => {
  const { receiver, webhook } = await receiverWith({ retries: 5 })
  await receiver.stop()
  let wall = Date.now()
  run({ now: () => wall })
  await accept(calls(20))
  await waitUntil(
    async () => {
      const now = await getWebhook(store, tenant.account.id, webhook.id)
      return now?.breaker.state === 'open' && (await counts()).leased === 0
    },
    { what: 'the breaker is open' },
  )
  const all = await listDeliveries(store, tenant.account.id, {}, { limit: 50 })
  expect(all.items.every((d) => d.state === 'held' && d.held_because === 'breaker_open')).toBe(true)
  expect(all.items.filter((d) => d.attempts === 0)).toHaveLength(15)
  await receiver.restart()
  wall += 60_000
  await receiver.waitFor((r) => new Set(r.map((x) => x.event?.id)).size === 20, 'all 20')
  await waitUntil(async () => (await counts()).delivered === 20, { what: 'all are delivered' })
  expect(receiver.requests).toHaveLength(20)
})

test('a clock set back by an hour stops nothing, one set ahead neither', async () => {
  const { receiver } = await receiverWith({ delay_seconds: 1 })
  let shift = 0
  run({ now: () => Date.now() + shift })
  const events = calls(3)
  await accept(events.slice(0, 1))
  shift = -3_600_000
  await receiver.waitFor((r) => r.length === 1, 'the first, before the clock is mended')
  await accept(events.slice(1, 2))
  shift = 3_600_000
  await receiver.waitFor((r) => r.length === 2, 'the second')
  shift = 0
  await accept(events.slice(2, 3))
  await receiver.waitFor((r) => r.length === 3, 'the third')
})

test('a stop waits for the requests under way and takes no new ones', async () => {
  const { receiver } = await receiverWith({ concurrency: 2 })
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  receiver.respond(async () => {
    await gate
    return {}
  })
  run()
  await accept(calls(5))
  await receiver.waitFor((r) => r.length === 2, 'two requests')
  const stopped = running?.stop()
  release()
  await stopped
  expect(await counts()).toMatchObject({ delivered: 2, pending: 3, leased: 0 })
  expect(receiver.requests).toHaveLength(2)
})

test('a stop whose time is over returns what is under way', async () => {
  const { receiver } = await receiverWith()
  receiver.setMode('stall')
  run({ stopMs: 50 })
  await accept(calls(2))
  await receiver.waitFor((r) => r.length === 2, 'two requests')
  await running?.stop()
  expect(await counts()).toMatchObject({ pending: 2, leased: 0 })
  receiver.setMode('ok')
  run()
  await receiver.waitFor((r) => r.length === 4, 'both again')
})

test('our own failure to send counts as no attempt and is put off', async () => {
  const { receiver } = await receiverWith()
  let failures = 0
  let wall = Date.now()
  run({
    now: () => wall,
    sender: {
      async attempt(request, limits) {
        failures += 1
        if (failures === 1) throw new Error('no file descriptors left')
        return await sender.attempt(request, limits)
      },
    },
  })
  await accept(calls(1))
  await waitUntil(() => logged.includes('deliver: the request could not be made'), {
    what: 'it is told',
  })
  await waitUntil(async () => (await counts()).pending === 1, { what: 'it is returned' })
  expect(receiver.requests).toHaveLength(0)
  wall += 6_000
  await receiver.waitFor((r) => r.length === 1, 'the event')
  await waitUntil(async () => (await counts()).delivered === 1, { what: 'it is written down' })
  const [delivery] = (await listDeliveries(store, tenant.account.id, {}, { limit: 5 })).items
  expect(delivery?.attempts).toBe(1)
})

test('while outcomes cannot be written no further request goes out', async () => {
  const { receiver, webhook } = await receiverWith({ concurrency: 5, order: 'none' })
  run()
  // Known to be quick, it has more leased than it has slots: as much as it has taken.
  const known = calls(150)
  await accept(known)
  await waitUntil(async () => (await counts()).delivered === known.length, { what: 'it is known' })
  const gate = Promise.withResolvers<void>()
  receiver.respond(async () => {
    await gate.promise
    return { body: 'x'.repeat(60_000) }
  })
  const events = Array.from({ length: 150 }, (_, i) => callEvent(tenant, `further ${i}`))
  await accept(events)
  expect((await counts(webhook.id)).leased).toBeGreaterThan(100)
  // As a full disk: this database gets no page more than it has.
  const [{ page_count: pages } = { page_count: 0 }] = (
    await sql<{ page_count: number }>`pragma page_count`.execute(store.write)
  ).rows
  await sql.raw(`pragma max_page_count = ${pages}`).execute(store.write)
  gate.resolve()
  const refused = 'deliver: the outcome of an attempt cannot be written, trying again'
  // Longer than what is leased ahead stays in memory.
  await waitUntil(() => logged.filter((line) => line === refused).length > 20, {
    what: 'it was tried again some times',
    timeoutMs: 15_000,
  })
  const sent = receiver.requests.length - known.length
  // Those under way, and what their first outcomes still found room for.
  expect(sent).toBeLessThan(75)
  await sql.raw('pragma max_page_count = 1000000').execute(store.write)
  await waitUntil(async () => (await counts(webhook.id)).delivered === known.length + 150, {
    what: 'all are delivered',
    timeoutMs: 15_000,
  })
  expect(receiver.requests).toHaveLength(known.length + 150)
}, 40_000)

/** A quick webhook whose receiver stops answering: five requests are under way, the rest is leased ahead of its slots. */
async function leasedAhead() {
  const { receiver, webhook } = await receiverWith({ concurrency: 5, order: 'none' })
  run()
  const known = calls(150)
  await accept(known)
  await waitUntil(async () => (await counts()).delivered === known.length, { what: 'it is known' })
  const gate = Promise.withResolvers<void>()
  receiver.respond(async () => {
    await gate.promise
    return {}
  })
  const events = Array.from({ length: 60 }, (_, i) => callEvent(tenant, `ahead ${i}`))
  await accept(events)
  await receiver.waitFor((r) => r.length === known.length + 5, 'all slots are taken')
  expect((await counts()).leased).toBeGreaterThan(20)
  return { receiver, webhook, before: known.length, events, answer: gate.resolve }
}

test('what is cancelled is not sent, also where it was leased ahead', async () => {
  const { receiver, webhook, before, events, answer } = await leasedAhead()
  const one = (await listDeliveries(store, tenant.account.id, { state: 'leased' }, { limit: 1 }))
    .items[0]
  expect(await cancelDelivery(store, tenant.account.id, one?.id ?? '', Date.now())).toBe(
    'cancelled',
  )
  let walk: WalkPlace = { startedAt: Date.now(), after: 0 }
  for (let next: number | null = 0; next !== null; ) {
    const step = await cancelWaitingStep(store, webhook.id, walk, 20, Date.now())
    next = step.next
    walk = { ...walk, after: next ?? 0 }
  }
  expect(await counts()).toMatchObject({ leased: 5, pending: 0, cancelled: events.length - 5 })
  answer()
  await waitUntil(async () => (await counts()).leased === 0, { what: 'what was under way is over' })
  expect(receiver.requests).toHaveLength(before + 5)
})

test('a webhook that is disabled, moved or deleted sends nothing more as it was', async () => {
  const { receiver, webhook, before, events, answer } = await leasedAhead()
  const { id } = tenant.account
  await setWebhookEnabled(store, id, webhook.id, false, Date.now())
  expect(await counts()).toMatchObject({ leased: 5, held: events.length - 5 })
  answer()
  await waitUntil(async () => (await counts()).leased === 0, { what: 'what was under way is over' })
  expect(receiver.requests).toHaveLength(before + 5)

  const elsewhere = await startReceiver()
  receivers.push(elsewhere)
  const gate = Promise.withResolvers<void>()
  elsewhere.respond(async () => {
    await gate.promise
    return {}
  })
  await changeWebhook(store, id, webhook.id, { enabled: true, url: elsewhere.url }, Date.now())
  await elsewhere.waitFor((r) => r.length === 5, 'all slots are taken')
  await changeWebhook(store, id, webhook.id, { url: receiver.url }, Date.now())
  gate.resolve()
  await waitUntil(async () => (await counts()).held + (await counts()).pending === 0, {
    what: 'all is sent',
  })
  await waitUntil(async () => (await counts()).leased === 0, { what: 'all is over' })
  expect(elsewhere.requests).toHaveLength(5)
  expect(receiver.requests).toHaveLength(before + events.length - 5)

  const closed = Promise.withResolvers<void>()
  receiver.respond(async () => {
    await closed.promise
    return {}
  })
  const sent = receiver.requests.length
  await accept(Array.from({ length: 60 }, (_, i) => callEvent(tenant, `last ${i}`)))
  await receiver.waitFor((r) => r.length === sent + 5, 'all slots are taken')
  await deleteWebhook(store, id, webhook.id, Date.now())
  closed.resolve()
  await running?.stop()
  expect(receiver.requests).toHaveLength(sent + 5)
})

test('kill -9 in the middle: nothing is lost, and what is sent twice has the same id', async () => {
  const { receiver, webhook } = await receiverWith({ concurrency: 20, order: 'none' })
  // All load their program while the events are made: a second of CPU each, several times that on a busy machine.
  const children = [1, 2, 3].map(() => startProcess(opened.url))
  receiver.respond(() => ({ delayMs: 5 }))
  const events = calls(200)
  await accept(events)
  await store.close()
  try {
    for (const [i, child] of children.entries()) {
      child.stdin?.write('begin\n')
      const enough = [15, 60, 120][i] ?? 0
      await receiver.waitFor((r) => r.length >= enough, `${enough} requests`, 20_000)
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    store = await openStore({ url: opened.url })
    opened = { ...opened, ...disposing(store, opened) }
  }
  run()
  await waitUntil(async () => (await counts(webhook.id)).delivered === 200, {
    what: 'all are delivered',
  })
  const arrivals = Map.groupBy(receiver.requests, (r) => r.headers['webhook-id'])
  expect(new Set(arrivals.keys())).toEqual(new Set(events.map((e) => e.id)))
  for (const [id, requests] of arrivals) {
    for (const request of requests) {
      expect(request).toMatchObject({ verified: true, event: { id } })
    }
  }
  // Sent twice is only what was under way, or not yet written down, when a process died.
  expect(receiver.requests.length - 200).toBeLessThanOrEqual(3 * 40)
}, 60_000)

function startProcess(url: string): ChildProcess {
  const program = fileURLToPath(new URL('./deliver-process.ts', import.meta.url))
  return spawn(process.execPath, [program, url], { stdio: ['pipe', 'ignore', 'inherit'] })
}

/** The store that is open now is closed in place of the one that the fixture opened. */
function disposing(now: Store, before: typeof opened) {
  return {
    store: now,
    [Symbol.asyncDispose]: async () => {
      await now.close()
      await before[Symbol.asyncDispose]()
    },
  }
}
