/** A PBX "on another machine": a real Asterisk, whose record nobody but `offhook agent` reads. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { NewAgentToken } from '#contracts/agent.ts'
import {
  checkNothingLost,
  checkRequests,
  endedCalls,
  eventsOf,
  hears,
} from '#test/asterisk/arrivals.ts'
import { startForeignPbx } from '#test/asterisk/foreign-stack.ts'
import { anna, answersAfter, ben, onlyRings, talk } from '#test/asterisk/people.ts'
import { type PbxPorts, play, startPlaying } from '#test/asterisk/play.ts'
import {
  allDelivered,
  choosePorts,
  createService,
  createWebhook,
  newSecret,
} from '#test/asterisk/stack.ts'
import { type AgentProcess, startAgent } from '#test/support/agent-process.ts'
import { type OffhookProcess, startOffhook } from '#test/support/offhook-process.ts'
import { type Receiver, startReceiver } from '#test/support/receiver.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import {
  answersInbound,
  inbound,
  inboundAnsweredBy201,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'

let parts: AsyncDisposableStack
let ports: PbxPorts
let offhook: OffhookProcess
let receiver: Receiver
let agent: AgentProcess

beforeAll(async () => {
  parts = new AsyncDisposableStack()
  ports = await choosePorts()
  const pbx = parts.use(await startForeignPbx(ports))
  const secret = newSecret()
  receiver = parts.use(await startReceiver({ secret }))
  offhook = parts.use(await startOffhook())
  await createWebhook(offhook, receiver, null, { secret })
  const { uuid } = await createService(offhook, {
    name: 'branch',
    friendly_name: 'Branch office',
    connection: { kind: 'asterisk_agent', trunks: ['trunk'] },
  })
  const folder = await mkdtemp(join(tmpdir(), 'offhook-agent-'))
  parts.defer(() => rm(folder, { recursive: true, force: true }))
  const tokenFile = join(folder, 'token')
  const { token } = await offhook.api<NewAgentToken>('POST', `/services/${uuid}/agent-token`)
  await writeFile(tokenFile, token, { mode: 0o600 })
  agent = parts.use(
    startAgent({
      server: offhook.url,
      tokenFile,
      celPath: pbx.folder.celFile,
      queueLogPath: pbx.folder.queueLogFile,
    }),
  )
  await hears(receiver, 0, 'service.link.up')
})
beforeEach(({ onTestFailed }) =>
  onTestFailed(() => void process.stderr.write(`${offhook?.output()}\n${agent?.output()}\n`)),
)
afterAll(async () => await parts?.disposeAsync())

const queueCall = {
  ...inbound,
  to: '0290001003',
  events: [
    'call.inbound.received',
    ...ringsInVain('201', 'missed', '700'),
    ...answersInbound('202', '700'),
    'queue.call.summary 202 @700 completed 201x1 202x1',
    'call.ended 202 @700',
  ],
  ...talked('202', 'caller', {
    duration: 9,
    ring: 5,
    wait: 6,
    bill: 2.5,
    answers: [{ after: 6.5, talk: 2.5 }],
  }),
}

async function check(seen: number, expected: Parameters<typeof checkCalls>[1]): Promise<void> {
  await receiver.waitFor(
    (all) => endedCalls(all.slice(seen)) >= expected.length,
    `the end of ${expected.length} calls`,
    60_000,
  )
  await allDelivered({ offhook })
  checkRequests(receiver.requests)
  checkCalls(eventsOf(receiver.requests.slice(seen)), expected)
  await checkNothingLost({ offhook, receiver })
}

test('a call through a queue: CEL and queue_log both come by the agent', async () => {
  const seen = receiver.requests.length
  await play(
    {
      callers: [anna('0290001003', ...talk(9_000))],
      phones: { 201: onlyRings, 202: answersAfter(1_000) },
    },
    ports,
  )
  await check(seen, [queueCall])
  expect(eventsOf(receiver.requests).filter(({ backfilled }) => backfilled)).toEqual([])
})

test('agent and server are killed during calls: both calls are told whole', async () => {
  const seen = receiver.requests.length
  await using calls = startPlaying(
    {
      callers: [anna('0290001001', ...talk(9_000)), ben('0290001005', ...talk(7_000))],
      phones: { 201: answersAfter(1_000), 202: answersAfter(2_000) },
    },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.answered', '201')
  await agent.kill()
  agent.start()
  await hears(receiver, seen, 'user.inbound.answered', '202')
  await offhook.kill()
  await offhook.start()
  await calls.finished
  await check(seen, [
    inboundAnsweredBy201('0290001001', 'caller', { duration: 10, ring: 1, bill: 9 }),
    {
      ...inboundAnsweredBy201('0290001005', 'caller', { duration: 9, ring: 2, bill: 7 }),
      from: '0307654321',
      events: ['call.inbound.received', ...answersInbound('202'), 'call.ended 202'],
      answeredBy: '202',
    },
  ])
})
