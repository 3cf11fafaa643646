/**
 * `examples/billing` beside a real Asterisk that writes CDRs of its own: calls of every kind, Offhook killed among them,
 * and what was billed for each call against what the PBX counted of it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { callUuid } from '#server/domain/events/ids.ts'
import { startForeignStack } from '#test/asterisk/foreign-stack.ts'
import { temporaryFolder } from '#test/asterisk/pbx/demo.ts'
import {
  after,
  anna,
  answersAfter,
  anyRefusal,
  type Cast,
  isBusy,
  onlyRings,
  phone,
  talk,
  user,
} from '#test/asterisk/people.ts'
import { play, startPlaying } from '#test/asterisk/play.ts'
import { createWebhook, newSecret, type Stack, showLog } from '#test/asterisk/stack.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import {
  cancelWhileRinging,
  ringThenAnswer,
  transferTo,
  wait,
} from '#test/support/sipp-scenario.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let stack: Stack
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let billing: ChildProcess
let output = ''
beforeAll(async () => {
  stack = await startForeignStack({ cdr: true, carrierCallers: 7 })
  folder = await temporaryFolder()
  const secret = newSecret()
  const port = await freeTcpPort()
  billing = spawn(process.execPath, [join(projectFolder, 'examples/billing/receiver.js')], {
    env: { SECRET: secret, PORT: String(port), DATABASE: join(folder.path, 'calls.db') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [billing.stdout, billing.stderr]) {
    stream?.on('data', (text) => {
      output += text
    })
  }
  await waitUntil(() => output.includes('listens'), { what: 'the receiver of the example listens' })
  const receiver = { url: `http://127.0.0.1:${port}/` }
  await createWebhook(stack.offhook, receiver, stack.service, { secret, triggers: ['call.ended'] })
})
beforeEach(({ onTestFailed }) =>
  onTestFailed(() => {
    showLog(stack)
    process.stderr.write(`The receiver of the example:\n${output.slice(-4_000)}\n`)
  }),
)
afterAll(async () => {
  billing?.kill()
  await stack?.[Symbol.asyncDispose]()
  await folder?.[Symbol.asyncDispose]()
})

/** Times of talk on either side of half a second: what is rounded up and what is rounded down even out. */
const plain: Cast = {
  callers: [
    { ...anna('0290001001', ...talk(1_200)), calls: 80, perSecond: 4 },
    { ...anna('0290001005', anyRefusal), calls: 60, perSecond: 3 },
    { ...user('203', '0301111111', ...talk(1_600)), calls: 40, perSecond: 2 },
    { ...user('202', '201', ...talk(900)), calls: 20, perSecond: 1 },
  ],
  phones: {
    201: { ...answersAfter(200), calls: 100 },
    202: { ...isBusy, calls: 60 },
    carrier: { ...answersAfter(300), calls: 40 },
  },
}
const transferred: Cast = {
  callers: [{ ...anna('0290001001', ...talk(4_300)), calls: 4 }],
  phones: {
    201: { ...phone(ringThenAnswer(300), wait(1_000), transferTo('202')), calls: 4 },
    202: { ...answersAfter(700), calls: 4 },
  },
}
/** 201 is free when the callers of the queues come, else they would not try her: of the last two the first waits for 202. */
const viaObjects: Cast = {
  callers: [
    // A queue, left at once; a ring group; a user with voicemail; users without; a queue whose second phone answers.
    anna('0290001006', ...talk(1_000)),
    after(2_000, { ...anna('0290001004', ...talk(2_400)), calls: 4 }),
    after(2_000, { ...anna('0290001001', ...talk(3_000)), calls: 2 }),
    after(2_000, { ...anna('1010', anyRefusal), calls: 2 }),
    after(2_000, { ...anna('1010', cancelWhileRinging(2_500)), calls: 2 }),
    after(2_000, { ...user('202', '203', anyRefusal), calls: 2 }),
    after(12_500, anna('0290001003', ...talk(8_000))),
    after(13_500, anna('0290001003', ...talk(2_600))),
  ],
  phones: {
    201: { ...onlyRings, calls: 12 },
    202: { ...answersAfter(600), calls: 6 },
    203: { ...onlyRings, calls: 6 },
  },
}

/** What must be in the table: direction, number that was called and cause; how many. */
const expectedCalls: Readonly<Record<string, number>> = {
  'inbound 0290001001 Answered': 80 + 4,
  'inbound 0290001001 No Answer': 2,
  'inbound 0290001003 Answered': 2,
  'inbound 0290001004 Answered': 4,
  'inbound 0290001005 Busy': 60,
  'inbound 0290001006 Canceled': 1,
  'inbound 1010 Canceled': 2,
  'inbound 1010 No Answer': 2,
  'internal 201 Answered': 20,
  'internal 203 No Answer': 2,
  'outbound 0301111111 Answered': 40,
}
/** Those in which voicemail or a queue answered before anybody did. */
const answeredByPbx = new Set([
  'inbound 0290001001 No Answer',
  'inbound 0290001003 Answered',
  'inbound 0290001006 Canceled',
])

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
const all = sum(Object.values(expectedCalls))

interface BilledCall {
  readonly call_uuid: string
  readonly direction: string
  readonly destination: string
  readonly cause: string
  readonly bill_duration: number
}

/** What Asterisk counted of one pair of channels; times in seconds. */
interface Cdr {
  readonly linkedid: string
  readonly uniqueid: string
  readonly app: string
  readonly disposition: string
  readonly answeredAt: number
  readonly endedAt: number
  readonly billSeconds: number
}

/** The rows of each call, by the UUID that it has in events. */
async function cdrsByCall(): Promise<ReadonlyMap<string, readonly Cdr[]>> {
  const path = join(stack.pbx.path, 'log', 'cdr-custom', 'cdr.csv')
  const text = await readFile(path, 'utf8').catch(() => '')
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [linkedid = '', uniqueid = '', app = '', disposition = '', ...times] = line.split(',')
      const [answeredAt = 0, endedAt = 0, billSeconds = 0] = times.map(Number)
      return { linkedid, uniqueid, app, disposition, answeredAt, endedAt, billSeconds }
    })
  return Map.groupBy(rows, ({ linkedid }) => callUuid(stack.service.uuid, linkedid))
}

const isCallers = ({ linkedid, uniqueid }: Cdr) => linkedid === uniqueid

/**
 * From the first answer of a phone or line to the end of the call. Only rows of Dial tell of such an answer: a queue and
 * voicemail answer by themselves, and their rows count from there, also the time in which nobody spoke with the caller.
 */
function talkSeconds(rows: readonly Cdr[]): number {
  const answers = rows.filter(
    ({ app, disposition }) => app === 'Dial' && disposition === 'ANSWERED',
  )
  if (answers.length === 0) return 0
  const end = Math.max(...rows.filter(isCallers).map(({ endedAt }) => endedAt))
  return end - Math.min(...answers.map(({ answeredAt }) => answeredAt))
}

/** How long the caller's line was open to the PBX. */
const openSeconds = (rows: readonly Cdr[]) =>
  sum(rows.filter(isCallers).map(({ billSeconds }) => billSeconds))

async function playWhileOffhookIsKilled(cast: Cast): Promise<void> {
  await using playing = startPlaying(cast, stack.ports)
  await waitUntil(async () => (await cdrsByCall()).size > 100, {
    what: 'half of the calls are over',
    timeoutMs: 60_000,
  })
  await stack.offhook.kill()
  await stack.offhook.start()
  await playing.finished
}

test(`${all} calls of every kind are billed once each, as the PBX counted them`, async () => {
  await playWhileOffhookIsKilled(plain)
  await play(transferred, stack.ports)
  await play(viaObjects, stack.ports)

  using table = new DatabaseSync(join(folder.path, 'calls.db'), { readOnly: true })
  const billed = () => table.prepare('select * from call').all() as unknown as BilledCall[]
  await waitUntil(() => billed().length >= all, { what: 'all are billed', timeoutMs: 60_000 })
  const calls = billed()
  const kinds = Map.groupBy(calls, (call) => `${call.direction} ${call.destination} ${call.cause}`)
  const counts = Object.fromEntries([...kinds].map(([kind, of]) => [kind, of.length]))
  expect(counts).toEqual(expectedCalls)

  // Its last rows are written behind the end of a call.
  const counted = await vi.waitFor(async () => await checkEach(calls), 20_000)
  const rowsOf = ({ call_uuid }: BilledCall) => counted.get(call_uuid) ?? []
  const seconds = sum(calls.map(({ bill_duration }) => bill_duration))
  // Asterisk's, each rounded as ours is: only calls within milliseconds of half a second may differ.
  const right = sum(calls.map((call) => Math.round(talkSeconds(rowsOf(call)))))
  expect(Math.abs(seconds - right)).toBeLessThanOrEqual(0.01 * right)

  for (const [kind, of] of kinds) {
    const talked = sum(of.map((call) => talkSeconds(rowsOf(call))))
    const open = sum(of.map((call) => openSeconds(rowsOf(call))))
    if (answeredByPbx.has(kind)) expect(open, kind).toBeGreaterThan(talked + 0.5 * of.length)
    else expect(Math.abs(open - talked), kind).toBeLessThan(0.1 * of.length)
  }
  process.stdout.write(`billing: ${all} calls, ${seconds} s billed, ${right} s by the CDRs\n`)
}, 180_000)

/** Holds each call against its CDRs; gives those. */
async function checkEach(calls: readonly BilledCall[]) {
  const counted = await cdrsByCall()
  expect([...counted.keys()].sort()).toEqual(calls.map(({ call_uuid }) => call_uuid).sort())
  for (const call of calls) {
    const rows = counted.get(call.call_uuid) ?? []
    const seconds = talkSeconds(rows)
    const shown = JSON.stringify({ call, rows })
    expect(seconds > 0, shown).toBe(call.cause === 'Answered')
    // Half a second by rounding; CEL and CDR note an answer some milliseconds apart.
    expect(Math.abs(call.bill_duration - seconds), shown).toBeLessThan(0.75)
  }
  return counted
}
