/**
 * A real Asterisk takes 20 calls a second from sipp, while Offhook is killed (-9) once and the line to the manager
 * interface is cut once. Every call must be told to its end, no event twice under another id.
 *
 * Two services read the same PBX: the one that runs it, and one that is attached to it over the line that is cut.
 */
import { loadavg } from 'node:os'
import type { BenchOptions, BenchResult } from '#bench/bench.ts'
import { percentile, rounded } from '#bench/statistics.ts'
import type { Event } from '#contracts/events/catalogue.ts'
import { amiUsername } from '#server/pbx/asterisk/config/site.ts'
import { managerSecret } from '#server/pbx/asterisk/instance-folder.ts'
import { keptPorts } from '#server/pbx/asterisk/ports.ts'
import { answersAfter, talk } from '#test/asterisk/people.ts'
import {
  allDelivered,
  createService,
  createWebhook,
  type Stack,
  startStack,
} from '#test/asterisk/stack.ts'
import { type ReceivedRequest, type Receiver, startReceiver } from '#test/support/receiver.ts'
import { startCaller, startPhone } from '#test/support/sipp.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'

const perSecond = 20
/** What every one of these calls gives: an inbound call that one user answers. */
const eventsPerCall = [
  'call.ended',
  'call.inbound.answered',
  'call.inbound.received',
  'user.inbound.answered',
  'user.inbound.completed',
  'user.inbound.ringing',
].join(' ')

export async function capture({ quick, tell }: BenchOptions): Promise<BenchResult> {
  const calls = perSecond * (quick ? 10 : 60)
  await using stack = await startStack({ webhook: { concurrency: 20 } })
  await using proxy = await startTcpProxy((await keptPorts(stack.pbx.path, null)).ami)
  await using attached = await startReceiver({ secret: stack.webhook.secret })
  await attach(stack, proxy, attached)
  tell('Asterisk runs, both services are connected')

  const began = performance.now()
  await using placing = await placeCalls(stack, calls)
  await ended(stack.receiver, calls / 3)
  await stack.offhook.kill()
  await stack.offhook.start()
  tell('Offhook was killed and started again')
  await ended(stack.receiver, (calls * 2) / 3)
  const cutAt = attached.requests.length
  await proxy.cut()
  await linkNews(attached, cutAt, 'service.link.down')
  await proxy.restore()
  await linkNews(attached, cutAt, 'service.link.up')
  tell('the line was cut and mended')
  await placing.finished
  const seconds = (performance.now() - began) / 1_000
  await ended(stack.receiver, calls)
  await ended(attached, calls)
  await allDelivered(stack)

  const seen = [told(stack.receiver.requests, calls), told(attached.requests, calls)]
  const lost = sum(seen.map((one) => one.lost))
  const duplicated = sum(seen.map((one) => one.duplicated))
  if (lost + duplicated + sum(seen.map((one) => one.gaps)) > 0)
    throw new Error(`lost or duplicated: ${JSON.stringify(seen)}`)
  return {
    name: 'capture',
    value: lost + duplicated,
    unit: 'lost + duplicated',
    details: {
      lost,
      duplicated,
      calls,
      calls_per_second: rounded(calls / seconds),
      events: sum(seen.map((one) => one.events)),
      repeated_by_the_kill: sum(seen.map((one) => one.repeated)),
      backfilled: sum(seen.map((one) => one.backfilled)),
      live_event_to_arrival_ms: latencies(stack.receiver.requests),
      load_average: rounded(loadavg()[0] ?? 0),
    },
  }
}

async function attach({ offhook, pbx, webhook }: Stack, proxy: TcpProxy, receiver: Receiver) {
  const service = await createService(offhook, {
    name: 'attached',
    friendly_name: 'The same PBX, attached to',
    connection: {
      kind: 'asterisk_attached',
      cel_path: pbx.celFile,
      queue_log_path: pbx.queueLogFile,
      recordings_path: null,
      voicemail_path: null,
      ami: {
        host: '127.0.0.1',
        port: proxy.port,
        username: amiUsername,
        secret: await managerSecret(pbx),
      },
      trunks: ['trunk'],
    },
  })
  const { secret } = webhook
  await createWebhook(offhook, receiver, service, { secret, concurrency: 20 })
  // Its link may have come up before it had a webhook: cut once, its news are heard.
  await proxy.cut()
  await proxy.restore()
  await linkNews(receiver, 0, 'service.link.up')
}

async function linkNews(receiver: Receiver, seen: number, type: Event['type']): Promise<void> {
  const heard = (all: readonly ReceivedRequest[]) =>
    all.slice(seen).some(({ event }) => event?.type === type)
  await receiver.waitFor(heard, type, 60_000)
}

/** All to a number that leads to Alice; each lasts 800 ms. */
async function placeCalls({ ports }: Stack, calls: number) {
  await using parts = new AsyncDisposableStack()
  const timeoutSeconds = calls / perSecond + 60
  const { steps } = answersAfter(200)
  const port = ports.phones[201]
  const phone = parts.use(await startPhone(ports.sip, steps, { port, calls, timeoutSeconds }))
  const anna = { pbxPort: ports.sip, number: '0301234567', name: 'Anna Extern', to: '1007' }
  const from = { port: ports.carrierCalls[0] as number, timeoutSeconds }
  const caller = parts.use(await startCaller(anna, talk(600), { ...from, calls, rate: perSecond }))
  const opened = parts.move()
  return {
    finished: Promise.all([caller.finished, phone.finished]),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Waits until so many calls have been told to their end. */
async function ended(receiver: Receiver, calls: number): Promise<void> {
  let looked = 0
  const ends = new Set<string>()
  const enough = (all: readonly ReceivedRequest[]) => {
    for (; looked < all.length; looked += 1) {
      const event = all[looked]?.event
      if (event?.type === 'call.ended') ends.add(event.id)
    }
    return ends.size >= calls
  }
  await receiver.waitFor(enough, `the end of ${calls} calls`, 180_000)
}

/** What a receiver was told of the calls, against what happened. */
function told(requests: readonly ReceivedRequest[], calls: number) {
  const byId = new Map<string, Event>()
  for (const { event, verified, headers } of requests) {
    if (event === null || verified !== true || headers['webhook-id'] !== event.id) {
      throw new Error('a request that is not signed, or not an event')
    }
    byId.set(event.id, event)
  }
  const events = [...byId.values()]
  const ofCalls = events.filter((event) => event.sequence !== null)
  const byCall = Map.groupBy(ofCalls, (event) => ('call' in event ? event.call.uuid : ''))
  const types = [...byCall.values()].map((call) => call.map((event) => event.type))
  const wanted = eventsPerCall.split(' ')
  const missing = types.map((seen) => wanted.filter((type) => !seen.some((t) => t === type)).length)
  const surplus = types.map((seen, i) => seen.length - wanted.length + (missing[i] ?? 0))
  return {
    events: events.length,
    lost: Math.max(0, calls - byCall.size) * wanted.length + sum(missing),
    duplicated: Math.max(0, byCall.size - calls) * wanted.length + sum(surplus),
    gaps: [...byCall.values()].filter((call) => !countsFromOne(call)).length,
    repeated: requests.length - events.length,
    backfilled: ofCalls.filter((event) => event.backfilled).length,
  }
}

const countsFromOne = (call: readonly Event[]): boolean =>
  call
    .map((event) => event.sequence ?? 0)
    .sort((a, b) => a - b)
    .every((sequence, i) => sequence === i + 1)

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

/** From the event on the PBX (whole milliseconds) to its first arrival, without those that were told late. */
function latencies(requests: readonly ReceivedRequest[]) {
  const first = new Map<string, number>()
  for (const { at, event } of requests) {
    if (event === null || event.backfilled || event.sequence === null || first.has(event.id)) {
      continue
    }
    first.set(event.id, performance.timeOrigin + at - Date.parse(event.occurred_at))
  }
  const ms = [...first.values()]
  return { p50: rounded(percentile(ms, 0.5)), p99: rounded(percentile(ms, 0.99)) }
}
