/**
 * `examples/billing` beside a real Asterisk that writes CDRs of its own: 200 mixed calls, Offhook killed among them, and
 * what was billed against what the PBX counted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { startForeignStack } from '#test/asterisk/foreign-stack.ts'
import { temporaryFolder } from '#test/asterisk/pbx/demo.ts'
import { anna, answersAfter, anyRefusal, isBusy, talk, user } from '#test/asterisk/people.ts'
import { startPlaying } from '#test/asterisk/play.ts'
import { createWebhook, newSecret, type Stack, showLog } from '#test/asterisk/stack.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let stack: Stack
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let billing: ChildProcess
let output = ''
beforeAll(async () => {
  stack = await startForeignStack({ cdr: true })
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

const answeredInbound = 80
const answeredOutbound = 40
const answeredInternal = 20
const busy = 60
const all = answeredInbound + answeredOutbound + answeredInternal + busy

interface Cdr {
  readonly linkedid: string
  readonly disposition: string
  readonly billSeconds: number
}

async function cdrs(): Promise<readonly Cdr[]> {
  const path = join(stack.pbx.path, 'log', 'cdr-custom', 'cdr.csv')
  const text = await readFile(path, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [linkedid = '', disposition = '', billsec = ''] = line.split(',')
      return { linkedid, disposition, billSeconds: Number(billsec) }
    })
}

test(`${all} mixed calls are billed once each, as the PBX counted them`, async () => {
  const { ports, offhook } = stack
  await using playing = startPlaying(
    {
      callers: [
        { ...anna('0290001001', ...talk(1_200)), calls: answeredInbound, perSecond: 4 },
        { ...anna('0290001005', anyRefusal), calls: busy, perSecond: 3 },
        { ...user('203', '0301111111', ...talk(1_600)), calls: answeredOutbound, perSecond: 2 },
        { ...user('202', '201', ...talk(900)), calls: answeredInternal, perSecond: 1 },
      ],
      phones: {
        201: { ...answersAfter(200), calls: answeredInbound + answeredInternal },
        202: { ...isBusy, calls: busy },
        carrier: { ...answersAfter(300), calls: answeredOutbound },
      },
    },
    ports,
  )
  await waitUntil(async () => (await cdrs()).length > all / 2, {
    what: 'half of the calls are over',
    timeoutMs: 60_000,
  })
  await offhook.kill()
  await offhook.start()
  await playing.finished
  await waitUntil(async () => new Set((await cdrs()).map((cdr) => cdr.linkedid)).size === all, {
    what: 'the PBX has counted all calls',
    timeoutMs: 30_000,
  })

  using table = new DatabaseSync(join(folder.path, 'calls.db'), { readOnly: true })
  const count = () => table.prepare('select count(*) as calls from call').get() as { calls: number }
  await waitUntil(() => count().calls >= all, { what: 'all are billed', timeoutMs: 60_000 })
  expect(count().calls).toBe(all)

  const counted = await cdrs()
  const answered = counted.filter((cdr) => cdr.disposition === 'ANSWERED')
  const billed = table
    .prepare(
      "select count(*) as calls, sum(bill_duration) as seconds from call where cause = 'Answered'",
    )
    .get() as { calls: number; seconds: number }
  expect(billed.calls).toBe(answeredInbound + answeredOutbound + answeredInternal)
  expect(answered).toHaveLength(billed.calls)
  // Ours are whole seconds, each rounded: over so many calls that evens out.
  const seconds = answered.reduce((sum, cdr) => sum + cdr.billSeconds, 0)
  expect(Math.abs(billed.seconds - seconds)).toBeLessThan(billed.calls * 0.5)
  const refused = counted.filter((cdr) => cdr.disposition === 'BUSY').length
  const engaged = table.prepare("select count(*) as calls from call where cause = 'Busy'").get()
  expect(engaged).toEqual({ calls: refused })
  process.stdout.write(
    `billing: ${all} calls, ${billed.seconds} s billed, ${seconds.toFixed(1)} s in the CDRs\n`,
  )
}, 180_000)
