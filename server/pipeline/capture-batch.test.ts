import { appendFile, copyFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { directoryOf } from '#server/domain/events/directory.ts'
import { createAgentPbx, type Shipped } from '#server/pbx/agent/agent-pbx.ts'
import { type AsteriskRecordOptions, asteriskRecord } from '#server/pbx/asterisk/asterisk-record.ts'
import { celColumns } from '#server/pbx/asterisk/cel-row.ts'
import type { PbxLink } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'
import { type CaptureDeps, readAll, resume } from '#server/pipeline/capture-batch.ts'
import { addNews, handleNews } from '#server/pipeline/capture-link.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let folder: string
let events: Event[]
let warnings: string[]
let cursors: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-capture-'))
  events = []
  warnings = []
  cursors = []
})
afterEach(async () => await rm(folder, { recursive: true }))

const service = {
  uuid: '6f1c2d34-0000-4000-8000-000000000001',
  name: 'pbx1',
  friendly_name: 'pbx1',
  type: 'hosted_pbx',
  country: null,
} as const

const recordOf = (more: Partial<AsteriskRecordOptions>) =>
  asteriskRecord({
    celPath: join(folder, 'cel.csv'),
    queueLogPath: join(folder, 'queue_log'),
    beginAt: 'start',
    rotate: null,
    ...more,
  })

function depsWith(more: Partial<CaptureDeps> = {}): CaptureDeps {
  const directory = directoryOf({ id: 'acc_1', name: 'main' }, service, null)
  return {
    record: recordOf({}),
    trunks: () => new Set(['carrier']),
    directory: () => directory,
    link: null,
    load: async () => ({ cursor: null, openCalls: [] }),
    accept: async (batch) => {
      events.push(...batch.events)
      cursors.push(batch.cursor)
    },
    onDisk: async () => undefined,
    log: { info: () => undefined, warn: (_facts, message) => void warnings.push(message) },
    now: () => Date.now(),
    ...more,
  }
}

function celRow(values: Partial<Record<(typeof celColumns)[number], string>>): string {
  return `${celColumns.map((c) => `"${(values[c] ?? '').replaceAll('"', '""')}"`).join(',')}\n`
}

/** A caller who gives up in the queue: what CEL and queue_log write of it. */
function queueCall(n: number) {
  const at = 1_795_000_000 + n * 60
  const UniqueID = `pbx1-${at}.${n}`
  const row = (EventEnum: string, seconds: number, more = {}) =>
    celRow({
      EventType: EventEnum,
      EventEnum,
      EventTime: `${at + seconds}.000000`,
      Num: '0288881234',
      Exten: '1003',
      Context: 'from-trunk',
      ChanName: `PJSIP/carrier-${n.toString(16).padStart(8, '0')}`,
      UniqueID,
      LinkedID: UniqueID,
      ...more,
    })
  const cel = [
    row('CHAN_START', 0),
    row('APP_START', 1, { AppName: 'Queue', AppData: 'sales,,,,60' }),
    row('HANGUP', 30, { EventExtra: '{"hangupcause":16}' }),
    row('CHAN_END', 30),
  ]
  const log = [
    `${at + 1}|${UniqueID}|sales|NONE|ENTERQUEUE||0288881234|${(n % 9) + 1}\n`,
    `${at + 30}|${UniqueID}|sales|NONE|ABANDON|1|1|29\n`,
  ]
  return { cel: cel.join(''), log: log.join('') }
}

test('after days of absence queue_log is read no further ahead than one batch', async () => {
  const calls = Array.from({ length: 4_000 }, (_, n) => queueCall(n))
  await appendFile(join(folder, 'cel.csv'), calls.map(({ cel }) => cel).join(''))
  await appendFile(join(folder, 'queue_log'), calls.map(({ log }) => log).join(''))
  let mostWaiting = 0
  const accept: CaptureDeps['accept'] = async (batch) => {
    events.push(...batch.events)
    const { rest } = JSON.parse(batch.cursor) as { rest: string }
    const { queueLog } = JSON.parse(rest) as { queueLog: unknown[] }
    mostWaiting = Math.max(mostWaiting, queueLog.length)
  }
  await readAll(await resume(depsWith({ accept })))

  const summaries = events.filter((event) => event.type === 'queue.call.summary')
  expect(summaries.map(({ queue }) => queue.position)).toEqual(calls.map((_, n) => (n % 9) + 1))
  expect(mostWaiting).toBeLessThan(calls.length * 0.75)
})

test('a line of queue_log that is no row is told once', async () => {
  await appendFile(join(folder, 'queue_log'), 'what is this\n')
  const capture = await resume(depsWith())
  await readAll(capture)
  await readAll(capture)
  expect(warnings).toEqual(['capture: row not read'])
})

test('a failed commit loses no row of queue_log', async () => {
  const { cel, log } = queueCall(3)
  await appendFile(join(folder, 'cel.csv'), cel)
  await appendFile(join(folder, 'queue_log'), log)
  let away = true
  const accept: CaptureDeps['accept'] = async (batch) => {
    if (away) throw new Error('the disk is full')
    events.push(...batch.events)
  }
  const capture = await resume(depsWith({ accept }))
  await expect(readAll(capture)).rejects.toThrow('the disk is full')
  away = false
  await readAll(capture)
  expect(events).toContainEqual(
    expect.objectContaining({ queue: expect.objectContaining({ position: 4 }) }),
  )
})

test('a link that is cut while its channels are listed holds up neither news nor reading', async () => {
  const { cel } = queueCall(1)
  const [start = ''] = cel.split(/(?<=\n)/)
  await appendFile(join(folder, 'cel.csv'), start)
  const link: PbxLink = {
    run: async () => undefined,
    listChannels: async () => {
      throw new PbxError('not_connected', 'The connection to the PBX was lost.')
    },
  }
  const capture = await resume(depsWith({ link }))
  await readAll(capture)
  capture.news.push({ kind: 'up', at: 1, bootedAt: 1 }, { kind: 'down', at: 2, reason: 'closed' })
  await handleNews(capture)
  expect(events.map(({ type }) => type).slice(-2)).toEqual(['service.link.up', 'service.link.down'])
})

test('a link that comes and goes while nothing can be committed: its gaps are told as fewer, longer ones', async () => {
  let away = true
  const accept: CaptureDeps['accept'] = async (batch) => {
    if (away) throw new Error('the disk is full')
    events.push(...batch.events)
  }
  const capture = await resume(
    depsWith({ accept, link: { run: async () => undefined, listChannels: async () => new Set() } }),
  )
  for (let at = 0; at < 100_000; at += 1) {
    addNews(
      capture.news,
      at % 2 === 0 ? { kind: 'up', at, bootedAt: null } : { kind: 'down', at, reason: 'closed' },
    )
    if (at === 2) await expect(handleNews(capture)).rejects.toThrow('the disk is full')
  }
  expect(capture.news.length).toBeLessThan(1_000)
  addNews(capture.news, { kind: 'up', at: 100_000, bootedAt: null })
  away = false
  await handleNews(capture)
  const ups = events.filter((event) => event.type === 'service.link.up')
  const downs = events.filter((event) => event.type === 'service.link.down')
  expect(Date.parse(ups[0]?.occurred_at ?? '')).toBe(0)
  expect(Date.parse(downs[0]?.occurred_at ?? '')).toBe(1)
  expect(ups.length).toBe(downs.length + 1)
  expect(Date.parse(ups.at(-1)?.occurred_at ?? '')).toBe(100_000)
  expect(Date.parse(downs.at(-1)?.occurred_at ?? '')).toBe(99_999)
})

test('another CEL file begins at its end, one that was only moved is read on', async () => {
  const [old, read, next] = [queueCall(1), queueCall(2), queueCall(3)]
  const other = join(folder, 'other.csv')
  await appendFile(join(folder, 'cel.csv'), read.cel)
  await appendFile(other, old.cel)
  let cursor: string | null = null
  const attached = {
    load: async () => ({ cursor, openCalls: [] }),
    accept: async (batch) => {
      events.push(...batch.events)
      cursor = batch.cursor
    },
  } satisfies Partial<CaptureDeps>
  const ended = () => events.filter(({ type }) => type === 'call.ended').length
  const run = async (more: Partial<AsteriskRecordOptions>) => {
    const record = recordOf({ beginAt: 'end', ...more })
    const capture = await resume(depsWith({ ...attached, record }))
    await readAll(capture)
    await handleNews(capture)
  }

  await run({ beginAt: 'start' })
  expect(ended()).toBe(1)
  await run({ celPath: other })
  expect(ended()).toBe(1)
  await appendFile(other, next.cel)
  await run({ celPath: other })
  expect(ended()).toBe(2)

  const moved = join(folder, 'moved.csv')
  await rename(other, moved)
  await appendFile(moved, queueCall(4).cel)
  await run({ celPath: moved })
  expect(ended()).toBe(3)
})

test('an agent hears that its rows are committed when the disk has them, and not before', async () => {
  const agent = createAgentPbx({ trunks: null, now: () => Date.now() })
  const disk = Promise.withResolvers<void>()
  const { record } = agent.pbx
  const capture = await resume(depsWith({ record, onDisk: async () => await disk.promise }))
  const { session = '', cursor: after = '' } = agent.connect('1.0.0') ?? {}
  const answers: Shipped[] = []
  const shipped = agent
    .ship({
      ...{ session, after, cursor: 'behind it', rows: [], more: false, remarks: [] },
      ...{ clock: null, leaving: false },
    })
    .then((answer) => answers.push(answer))
  const reading = readAll(capture)
  await waitUntil(() => cursors.length > 0, { what: 'it is accepted' })
  await nextTurn()
  expect(answers).toEqual([])
  disk.resolve()
  await shipped
  expect(answers).toEqual([{ is: 'committed', cursor: 'behind it' }])
  await reading
  await agent.pbx.link?.close()
})

test('rows that tell nothing wait for those that do, and not for long', async () => {
  const rows = queueCall(1).cel.split(/(?<=\n)/)
  const celFile = join(folder, 'cel.csv')
  const capture = await resume(depsWith())
  await readAll(capture, { mayWait: true })
  const told: number[] = []
  for (const row of rows) {
    const before = { events: events.length, commits: cursors.length }
    await appendFile(celFile, row)
    await readAll(capture, { mayWait: true })
    told.push(events.length - before.events)
    // A commit for each row that tells something, and for no other.
    expect(cursors.length - before.commits).toBe(events.length > before.events ? 1 : 0)
  }
  expect(told.filter((n) => n === 0).length).toBeGreaterThan(0)

  // As they are told when nothing waits.
  const waited = events.splice(0)
  await readAll(await resume(depsWith()))
  expect(waited).toEqual(events.map((event) => ({ ...event, backfilled: expect.any(Boolean) })))

  // Nothing follows it.
  await appendFile(celFile, queueCall(2).cel.split(/(?<=\n)/)[1] ?? '')
  const commits = cursors.length
  await readAll(capture, { mayWait: true })
  expect(cursors.length).toBe(commits)
  await waitUntil(
    async () => {
      await readAll(capture, { mayWait: true })
      return cursors.length > commits
    },
    { what: 'it is committed all the same' },
  )
})

const rotations = [
  {
    how: 'copied and cut (copytruncate)',
    rotate: async (path: string) => {
      await copyFile(path, `${path}.1`)
      await truncate(path, 0)
    },
  },
  {
    how: 'renamed, made anew and compressed at once',
    rotate: async (path: string) => {
      await rename(path, `${path}.1`)
      await rename(`${path}.1`, `${path}.1.gz`)
      await writeFile(path, '')
    },
  },
]

test.each(rotations)('rows that wait while their file is $how are not lost', async ({ rotate }) => {
  const celFile = join(folder, 'cel.csv')
  const rows = queueCall(1)
    .cel.split(/(?<=\n)/)
    .filter((row) => row !== '')
  for (const row of rows) await appendFile(celFile, row)
  await readAll(await resume(depsWith()))
  const whole = events.splice(0)

  for (const [at] of rows.entries()) {
    await rm(celFile)
    const capture = await resume(depsWith())
    for (const [n, row] of rows.entries()) {
      await appendFile(celFile, row)
      await readAll(capture, { mayWait: true })
      if (n === at) await rotate(celFile)
      await readAll(capture, { mayWait: true })
    }
    await readAll(capture)
    expect(events.splice(0)).toEqual(
      whole.map((event) => ({ ...event, backfilled: expect.any(Boolean) })),
    )
  }
})
