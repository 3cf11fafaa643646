/** The configuration changes while calls go on: they end as they would have, and the next ones find the new one. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PbxDocument } from '#contracts/pbx.ts'
import { revisionVariable } from '#server/pbx/asterisk/config/extensions-conf.ts'
import { checkNothingLost, endedCalls, eventsOf, hears } from '#test/asterisk/arrivals.ts'
import {
  anna,
  answersAfter,
  anyRefusal,
  type Cast,
  talk,
  untilTheyHangUp,
  user,
} from '#test/asterisk/people.ts'
import { play, startPlaying } from '#test/asterisk/play.ts'
import { allDelivered, documentFor, type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import { answered, awaitHangUp, hangUp, press, wait } from '#test/support/sipp-scenario.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import {
  answersInbound,
  type ExpectedCall,
  inbound,
  inboundAnsweredBy201,
  notAnswered,
  plainInbound,
  talked,
} from '#test/traces/expected/building-blocks.ts'

let stack: Stack
beforeEach(async ({ onTestFailed }) => {
  onTestFailed(() => showLog(stack))
  stack = await startStack()
})
afterEach(async () => await stack?.[Symbol.asyncDispose]())

/** Puts the document as `how` makes it of the first one, and waits until the PBX has it in force. */
async function change(how: (document: PbxDocument) => PbxDocument): Promise<void> {
  const { offhook, service, ports } = stack
  const before = await revisionOnDisk()
  await offhook.api('PUT', `/services/${service.uuid}/pbx`, how(documentFor(ports)))
  await waitUntil(
    async () => {
      const now = await revisionOnDisk()
      // It is logged once the PBX was asked for it and has it.
      return now !== before && offhook.output().includes(now)
    },
    { what: 'the new configuration is in force', timeoutMs: 30_000 },
  )
}

async function revisionOnDisk(): Promise<string> {
  const text = await readFile(join(stack.pbx.etc, 'extensions.conf'), 'utf8')
  return new RegExp(`^${revisionVariable} = (.+)$`, 'm').exec(text)?.[1] ?? ''
}

/**
 * Waits until a channel of the PBX executes this application. A caller who still hears the greeting when the IVR goes
 * is thrown out at the end of the greeting, before any key.
 */
async function inApplication(name: string): Promise<void> {
  const { wrapper, conf } = stack.pbx
  const ask = promisify(execFile)
  await waitUntil(
    async () =>
      (await ask(wrapper, ['-C', conf, '-rx', 'core show channels concise'])).stdout.includes(name),
    { what: `a caller is in ${name}`, everyMs: 100 },
  )
}

/** Plays a call on the configuration that is now in force, and checks all that it gives. */
async function playAndCheck(cast: Cast, expected: ExpectedCall): Promise<void> {
  const seen = stack.receiver.requests.length
  await play(cast, stack.ports)
  await checkArrivals(seen, expected)
}

async function checkArrivals(seen: number, expected: ExpectedCall): Promise<void> {
  const { receiver } = stack
  await receiver.waitFor((all) => endedCalls(all.slice(seen)) >= 1, 'the end of the call')
  await allDelivered(stack)
  const events = eventsOf(receiver.requests.slice(seen))
  checkCalls(events, [expected])
  expect(events.filter(({ backfilled }) => backfilled)).toEqual([])
  expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
}

/** Bob's successor: another user at another extension, on the phone that Bob had. */
function replaceBob(document: PbxDocument): PbxDocument {
  const text = JSON.stringify(document).replaceAll('"202"', '"205"').replaceAll('"Bob"', '"Eve"')
  const replaced = JSON.parse(text) as PbxDocument
  return {
    ...replaced,
    default_ring_seconds: 2,
    users: replaced.users.map((u) =>
      u.extension_number === '205' ? { ...u, uuid: crypto.randomUUID() } : u,
    ),
    queues: replaced.queues.map((queue) => ({ ...queue, strategy: 'ringall' as const })),
  }
}

// The call of the recording 30-reload-during-call.
test('users, queues, ring groups and the dialplan change during a call: it goes on', async () => {
  const { receiver, ports } = stack
  const seen = receiver.requests.length
  await using call = startPlaying(
    { callers: [anna('1001', ...talk(9_000))], phones: { 201: answersAfter(600) } },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.answered', '201')
  await change(replaceBob)
  expect(endedCalls(receiver.requests.slice(seen))).toBe(0)
  await call.finished
  await checkArrivals(
    seen,
    inboundAnsweredBy201('1001', 'caller', { duration: 10, ring: 0.6, bill: 9 }),
  )

  // His number leads to his successor, whose phone answers; he himself cannot be called any more.
  await playAndCheck(
    { callers: [anna('1011', ...talk(1_000))], phones: { 202: answersAfter(500) } },
    {
      ...inbound,
      to: '1011',
      events: plainInbound('205'),
      ...talked('205', 'caller', { duration: 1.5, ring: 0.5, bill: 1 }),
    },
  )
  const before = receiver.requests.length
  await play({ callers: [user('201', '202', anyRefusal)] }, ports)
  await allDelivered(stack)
  expect(
    eventsOf(receiver.requests.slice(before)).filter(
      (e) => 'user' in e && e.user?.extension_number === '202',
    ),
  ).toEqual([])
})

const enters = (ivr: string) => ['call.inbound.received', `ivr.received ${ivr}`] as const

/** The PBX cannot go on with a caller whose menu is gone. That is no choice of the caller's, and nobody was reached. */
const thrownOut = (seconds: number): ExpectedCall => ({
  ...inbound,
  to: '1002',
  events: [...enters('main'), 'call.missed ivr', 'call.ended'],
  ...notAnswered('missed', ['system', 'No Answer'], { duration: seconds, ring: 0 }),
})

const patientIvr = (document: PbxDocument): PbxDocument => ({
  ...document,
  ivrs: document.ivrs.map((ivr) => ({ ...ivr, response_seconds: 20 })),
})

const rename = (document: PbxDocument): PbxDocument => ({
  ...document,
  ivrs: patientIvr(document).ivrs.map((ivr) => ({ ...ivr, name: 'welcome' })),
  numbers: document.numbers.map((number) =>
    number.did === '1002' ? { ...number, destination: { type: 'ivr', name: 'welcome' } } : number,
  ),
  virtual_extensions: [],
})

// The call of the recording 31-dialplan-reload-under-ivr, in which the caller does press a key.
test('the IVR is renamed while its caller is in it: the key pressed then leads nowhere', async () => {
  const { receiver, ports } = stack
  await change(patientIvr)
  const seen = receiver.requests.length
  await using call = startPlaying(
    { callers: [anna('1002', answered, wait(6_000), press('2'), awaitHangUp)] },
    ports,
  )
  await inApplication('WaitExten')
  await change(rename)
  await call.finished
  await checkArrivals(seen, thrownOut(6))

  await playAndCheck(
    {
      callers: [anna('1002', answered, wait(1_500), press('2'), wait(3_000), hangUp)],
      phones: { 202: answersAfter(1_000) },
    },
    {
      ...inbound,
      to: '1002',
      events: [
        ...enters('welcome'),
        'ivr.option_selected welcome 2',
        ...answersInbound('202'),
        'call.ended 202',
      ],
      ...talked('202', 'caller', { duration: 4.5, ring: 1, bill: 2 }),
    },
  )
})

const remove = (document: PbxDocument): PbxDocument => ({
  ...document,
  ivrs: [],
  numbers: document.numbers.map((number) =>
    number.did === '1002'
      ? { ...number, destination: { type: 'user', extension_number: '201', voicemail: false } }
      : number,
  ),
  virtual_extensions: [],
})

test('the IVR is removed while its caller is in it: the next caller goes where its number leads now', async () => {
  const { receiver, ports } = stack
  const seen = receiver.requests.length
  await using call = startPlaying({ callers: [anna('1002', ...untilTheyHangUp)] }, ports)
  await inApplication('WaitExten')
  await change(remove)
  await call.finished
  await checkArrivals(seen, thrownOut(2))

  await playAndCheck(
    { callers: [anna('1002', ...talk(1_000))], phones: { 201: answersAfter(500) } },
    inboundAnsweredBy201('1002', 'caller', { duration: 1.5, ring: 0.5, bill: 1 }),
  )
})
