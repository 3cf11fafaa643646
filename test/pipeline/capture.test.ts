/** Capture on a real store and real files: recorded calls are appended as Asterisk would, cut, rotated, interrupted. */
import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { directoryOf } from '#server/domain/events/directory.ts'
import { asteriskRecord } from '#server/pbx/asterisk/asterisk-record.ts'
import type { PbxLink, PbxListener } from '#server/pbx/pbx.ts'
import { runCapture } from '#server/pipeline/capture.ts'
import { acceptSoon } from '#server/store/accept.ts'
import { type Account, ensureAccount } from '#server/store/accounts.ts'
import { readCapture } from '#server/store/captures.ts'
import { listEvents } from '#server/store/events.ts'
import { openStore } from '#server/store/open-store.ts'
import { createService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { deriveTrace, tracesFolder } from '#test/traces/read-trace.ts'

let folder: string
let store: Store
let account: Account
let serviceUuid: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-capture-'))
  store = await openStore({ url: `sqlite:${join(folder, 'offhook.db')}` })
  account = await ensureAccount(store, 'main', 0)
  const service = await createService(
    store,
    account.id,
    {
      name: 'pbx1',
      friendly_name: 'pbx1',
      country: null,
      applications_enabled: true,
      connection: {
        kind: 'asterisk_attached',
        cel_path: join(folder, 'cel.csv'),
        queue_log_path: join(folder, 'queue_log'),
        recordings_path: null,
        voicemail_path: null,
        ami: null,
        trunks: [],
      },
    },
    0,
  )
  serviceUuid = service.uuid
})

afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

interface Running {
  /** What the link tells, as a PBX's manager interface would. */
  readonly tell: PbxListener
  readonly channels: Set<string>
  readonly stop: () => Promise<void>
}

interface StartOptions {
  readonly linked?: boolean
  /** Called before each commit; throwing is the database being away. */
  readonly beforeCommit?: () => void
  readonly trunks?: ReadonlySet<string>
}

function start(options: StartOptions = {}): Running {
  const stop = new AbortController()
  const channels = new Set<string>()
  let listener: PbxListener | null = null
  const link: PbxLink = {
    run: async (on, signal) => {
      listener = on
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    },
    listChannels: async () => new Set(channels),
  }
  const service = { uuid: serviceUuid, name: 'pbx1', friendly_name: 'pbx1', type: 'hosted_pbx' }
  const directory = directoryOf(account, { ...service, type: 'hosted_pbx', country: null }, null)
  const ended = runCapture(
    {
      record: asteriskRecord({
        celPath: join(folder, 'cel.csv'),
        queueLogPath: join(folder, 'queue_log'),
        beginAt: 'start',
        rotate: null,
      }),
      trunks: () => options.trunks ?? null,
      directory: () => directory,
      link: options.linked ? link : null,
      load: async () => {
        const { cursor, openCalls } = await readCapture(store, serviceUuid)
        return { cursor, openCalls: openCalls.map(({ json }) => json) }
      },
      accept: async (batch) => {
        options.beforeCommit?.()
        const now = Date.now()
        await acceptSoon(store, { accountId: account.id, serviceUuid, ...batch, now })
      },
      onDisk: store.onDisk,
      log: { info: () => undefined, warn: () => undefined },
      now: () => Date.now(),
    },
    stop.signal,
  )
  const listening = () => {
    if (listener === null) throw new Error('the link is not followed yet')
    return listener
  }
  return {
    tell: {
      up: (up) => listening().up(up),
      down: (reason) => listening().down(reason),
      activity: () => listening().activity(),
    },
    channels,
    stop: async () => {
      stop.abort()
      await ended
    },
  }
}

async function stored(): Promise<Event[]> {
  const events: Event[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await listEvents(store, account.id, {}, { limit: 100, cursor })
    events.push(...page.items)
    if (page.next_cursor === null) break
    cursor = page.next_cursor
  }
  return events.reverse()
}

const callEvents = async () => (await stored()).filter((event) => event.sequence !== null)
const told = (events: readonly Event[]) => events.map((event) => `${event.sequence} ${event.type}`)

async function traceText(trace: string): Promise<string> {
  return await readFile(join(tracesFolder, trace, 'cel.csv'), 'utf8')
}

async function expected(trace: string): Promise<string[]> {
  return told((await deriveTrace(trace)).events)
}

const ivrCall = '04-inbound-ivr-option2-answered'
const queueCall = '06-queue-rna-201-then-202-answers'

test('rows that come in any pieces become the same events', async () => {
  const running = start()
  const text = await traceText(ivrCall)
  for (let at = 0; at < text.length; at += 700) {
    await appendFile(join(folder, 'cel.csv'), text.slice(at, at + 700))
  }
  const wanted = await expected(ivrCall)
  await waitUntil(async () => (await callEvents()).length >= wanted.length, { what: 'the events' })
  await running.stop()
  expect(told(await callEvents())).toEqual(wanted)
})

test('what was written before we began is backfilled, what comes then is not', async () => {
  await writeFile(join(folder, 'cel.csv'), await traceText(ivrCall))
  const running = start()
  await waitUntil(async () => (await callEvents()).some((e) => e.type === 'call.ended'), {
    what: 'the call',
  })
  await running.stop()
  const events = await stored()
  expect(events.filter((e) => e.sequence !== null).every((e) => e.backfilled)).toBe(true)
  const up = events.find((e) => e.type === 'service.link.up')
  expect(up).toMatchObject({ backfilled: false, link: { down_since: null, backfilled_events: 8 } })
})

test('a stop and a start in the middle of a call lose and double nothing', async () => {
  const text = await traceText(queueCall)
  await writeFile(
    join(folder, 'queue_log'),
    await readFile(join(tracesFolder, queueCall, 'queue_log'), 'utf8'),
  )
  const pieces = 9
  const size = Math.ceil(text.length / pieces)
  for (let piece = 0; piece < pieces; piece += 1) {
    const running = start()
    await appendFile(join(folder, 'cel.csv'), text.slice(piece * size, (piece + 1) * size))
    await running.stop()
  }
  const events = await callEvents()
  expect(told(events)).toEqual(await expected(queueCall))
  const summary = events.find((e) => e.type === 'queue.call.summary')
  expect(summary).toMatchObject({ queue: { position: 1, outcome: 'completed' } })
})

test('a database that is away for a while costs nothing', async () => {
  let away = 3
  const running = start({
    beforeCommit: () => {
      if (away > 0) {
        away -= 1
        throw new Error('the disk is full')
      }
    },
  })
  await writeFile(join(folder, 'cel.csv'), await traceText(ivrCall))
  const wanted = await expected(ivrCall)
  await waitUntil(async () => (await callEvents()).length >= wanted.length, { what: 'the events' })
  await running.stop()
  expect(away).toBe(0)
  expect(told(await callEvents())).toEqual(wanted)
})

test('what waited long for a commit is told as read late', async () => {
  await writeFile(join(folder, 'cel.csv'), '')
  const awayUntil = performance.now() + 5_500
  const running = start({
    beforeCommit: () => {
      if (performance.now() < awayUntil) throw new Error('the disk is full')
    },
  })
  // A call of this moment: the recorded one, its times moved here.
  const text = await traceText(ivrCall)
  const began = Number(/"(\d+\.\d+)"/.exec(text)?.[1])
  const shift = Date.now() / 1000 - began
  const live = text.replaceAll(
    /"(\d+\.\d{6})"/g,
    (_, time) => `"${(Number(time) + shift).toFixed(6)}"`,
  )
  await appendFile(join(folder, 'cel.csv'), live)
  const isEnded = async () => (await callEvents()).some((e) => e.type === 'call.ended')
  await waitUntil(isEnded, { what: 'the call', timeoutMs: 20_000 })
  await running.stop()
  expect((await callEvents())[0]).toMatchObject({ sequence: 1, backfilled: true })
}, 30_000)

test('a row that the fold does not survive costs its own facts only', async () => {
  const trap = new Set<string>()
  trap.has = (endpoint) => {
    if (endpoint === 'trap') throw new Error('a fault of ours')
    return endpoint === 'trunk'
  }
  const text = await traceText(ivrCall)
  const [first = ''] = text.split('\n')
  const bad = first.replaceAll('PJSIP/trunk-', 'PJSIP/trap-').replaceAll('.10"', '.9999"')
  const running = start({ trunks: trap })
  await writeFile(join(folder, 'cel.csv'), `${bad}\n${text}`)
  const wanted = await expected(ivrCall)
  await waitUntil(async () => (await callEvents()).length >= wanted.length, { what: 'the events' })
  await running.stop()
  expect(told(await callEvents())).toEqual(wanted)
})

test('a rotation in the middle of a call costs nothing', async () => {
  const text = await traceText(ivrCall)
  const cut = text.indexOf('\n', text.length / 2) + 1
  await writeFile(join(folder, 'cel.csv'), text.slice(0, cut))
  const running = start()
  await waitUntil(async () => (await callEvents()).length > 0, { what: 'the first events' })
  await rename(join(folder, 'cel.csv'), join(folder, 'cel.csv.1'))
  await writeFile(join(folder, 'cel.csv'), text.slice(cut))
  const wanted = await expected(ivrCall)
  await waitUntil(async () => (await callEvents()).length >= wanted.length, { what: 'all events' })
  await running.stop()
  expect(told(await callEvents())).toEqual(wanted)
})

test('a row that is no row is passed over', async () => {
  const text = await traceText(ivrCall)
  await writeFile(join(folder, 'cel.csv'), `garbage\n${text}"half","a row\n`)
  const running = start()
  await waitUntil(async () => (await callEvents()).some((e) => e.type === 'call.ended'), {
    what: 'the call',
  })
  await running.stop()
  expect(told(await callEvents())).toEqual(await expected(ivrCall))
})

test('the link: a gap is told, and the calls of a PBX that died in it are closed', async () => {
  const running = start({ linked: true })
  await waitUntil(() => isFollowed(running), { what: 'the link' })
  running.tell.up({ bootedAt: 0 })
  await writeFile(join(folder, 'cel.csv'), await traceText('23a-kill9-mid-call'))
  await waitUntil(async () => (await callEvents()).length >= 4, { what: 'the answered call' })
  running.tell.down('closed')
  await waitUntil(async () => (await stored()).some((e) => e.type === 'service.link.down'), {
    what: 'link down',
  })
  running.tell.up({ bootedAt: Date.now() })
  await waitUntil(
    async () => (await stored()).filter((e) => e.type === 'service.link.up').length === 2,
    { what: 'link up' },
  )
  await running.stop()
  const ended = (await callEvents()).find((e) => e.type === 'call.ended')
  expect(ended).toMatchObject({
    backfilled: true,
    call: { incomplete: true, hangup: { initiator: 'system' } },
  })
  const [, second] = (await stored()).filter((e) => e.type === 'service.link.up')
  expect(second).toMatchObject({ link: { backfilled_events: 2 } })
})

test('a call that the PBX still has is left alone when the link comes back', async () => {
  const running = start({ linked: true })
  await waitUntil(() => isFollowed(running), { what: 'the link' })
  await writeFile(join(folder, 'cel.csv'), await traceText('23a-kill9-mid-call'))
  await waitUntil(async () => (await callEvents()).length >= 4, { what: 'the answered call' })
  const open = (await readCapture(store, serviceUuid)).openCalls.map(({ json }) => json).join()
  for (const [id] of open.matchAll(/pbx1-\d+\.\d+/g)) running.channels.add(id)
  running.tell.up({ bootedAt: Date.now() })
  await waitUntil(async () => (await stored()).some((e) => e.type === 'service.link.up'), {
    what: 'link up',
  })
  await running.stop()
  expect((await callEvents()).some((e) => e.type === 'call.ended')).toBe(false)
})

async function isFollowed(running: Running): Promise<boolean> {
  try {
    running.tell.activity()
    return true
  } catch {
    return false
  }
}
