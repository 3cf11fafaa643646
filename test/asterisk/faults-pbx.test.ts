/** The PBX dies, the line to it is cut, its record is moved away: nothing is lost, and the gap is told. */
import { readFile, rename } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { amiUsername } from '#server/pbx/asterisk/config/site.ts'
import { managerSecret } from '#server/pbx/asterisk/instance-folder.ts'
import { keptPorts } from '#server/pbx/asterisk/ports.ts'
import {
  checkNothingLost,
  checkRequests,
  endedCalls,
  eventsOf,
  hears,
} from '#test/asterisk/arrivals.ts'
import { anna, answersAfter, ben, onlyRings, talk, untilTheyHangUp } from '#test/asterisk/people.ts'
import { play, startPlaying } from '#test/asterisk/play.ts'
import {
  allDelivered,
  asteriskPid,
  createService,
  createWebhook,
  type Stack,
  showLog,
  startStack,
} from '#test/asterisk/stack.ts'
import { type Receiver, startReceiver } from '#test/support/receiver.ts'
import { startTcpProxy } from '#test/support/tcp-proxy.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import {
  inbound,
  inboundAnsweredBy201,
  notAnswered,
  plainInbound,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'

let stack: Stack
beforeEach(async ({ onTestFailed }) => {
  onTestFailed(() => showLog(stack))
  stack = await startStack()
})
afterEach(async () => await stack?.[Symbol.asyncDispose]())

/** Waits until the record of the PBX has this. */
async function inTheRecord(what: RegExp): Promise<void> {
  await waitUntil(async () => what.test(await readFile(stack.pbx.celFile, 'utf8')), {
    what: `the record has ${what}`,
  })
}

const fromBen = { ...inbound, from: '0307654321' }

test('Asterisk is killed in mid call: its calls are closed incomplete, and it serves new ones', async () => {
  const { receiver, ports } = stack
  const seen = receiver.requests.length
  const pid = await asteriskPid(stack)
  await using doomed = startPlaying(
    {
      callers: [anna('1011', ...untilTheyHangUp), ben('1003', ...untilTheyHangUp)],
      phones: { 202: answersAfter(500), 201: onlyRings },
    },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.answered', '202')
  await hears(receiver, seen, 'user.inbound.ringing', '201')
  await inTheRecord(/"BRIDGE_ENTER".*\n(.*\n)*"BRIDGE_ENTER".*\n/)
  await allDelivered(stack)
  const lived = receiver.requests.length
  process.kill(pid, 'SIGKILL')
  await hears(receiver, lived, 'service.link.up')
  await receiver.waitFor((all) => endedCalls(all) === 2, 'the end of both calls')
  await allDelivered(stack)

  expect(await asteriskPid(stack)).not.toBe(pid)
  const told = eventsOf(receiver.requests.slice(lived))
  const link = told.filter((event) => event.sequence === null)
  expect(link).toMatchObject([
    { type: 'service.link.down', link: { reason: 'closed' } },
    {
      type: 'service.link.up',
      link: { backfilled_events: told.filter((event) => event.backfilled).length },
    },
  ])
  expect(told.filter((event) => event.sequence !== null && !event.backfilled)).toEqual([])
  checkCalls(eventsOf(receiver.requests.slice(seen)), [
    {
      ...inbound,
      to: '1011',
      events: plainInbound('202'),
      // Closed at the last time at which the record knew it to live.
      ...talked('202', 'system', { duration: 0.5, ring: 0.5, bill: 0 }),
      incomplete: true,
    },
    {
      ...fromBen,
      to: '1003',
      events: [
        'call.inbound.received',
        ...ringsInVain('201', 'failed', 'sales'),
        'queue.call.summary @sales left 201x1',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      ...notAnswered('failed', ['system', 'Failed'], { duration: 0.5, ring: 0, wait: 0.5 }),
      incomplete: true,
    },
  ])
  await doomed[Symbol.asyncDispose]()

  const before = receiver.requests.length
  await play({ callers: [anna('1007', ...talk(1_000))], phones: { 201: answersAfter(500) } }, ports)
  await receiver.waitFor((all) => endedCalls(all) === 3, 'the end of the new call')
  await allDelivered(stack)
  const after = eventsOf(receiver.requests.slice(before))
  checkCalls(after, [inboundAnsweredBy201('1007', 'caller', { duration: 1.5, ring: 0.5, bill: 1 })])
  expect(after.filter((event) => event.backfilled)).toEqual([])
  checkRequests(receiver.requests)
  expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
})

test('the line to the manager interface is cut during a call: its events flow on from the file', async () => {
  const { offhook, ports, pbx } = stack
  await using proxy = await startTcpProxy((await keptPorts(pbx.path, null)).ami)
  await using receiver = await startReceiver({ secret: stack.webhook.secret })
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
  await createWebhook(offhook, receiver, service, { secret: stack.webhook.secret })
  // The webhook came after the service: it may have missed the first news of the link.
  await play({ callers: [anna('1007', ...talk(500))], phones: { 201: answersAfter(500) } }, ports)
  await receiver.waitFor((all) => endedCalls(all) === 1, 'the end of the first call')
  await allDelivered(stack)

  const seen = receiver.requests.length
  await using call = startPlaying(
    { callers: [anna('1007', ...talk(4_000))], phones: { 201: answersAfter(3_000) } },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.ringing', '201')
  await proxy.cut()
  await hears(receiver, seen, 'service.link.down')
  await hears(receiver, seen, 'user.inbound.answered', '201')
  const answered = receiver.requests.length
  await proxy.restore()
  await hears(receiver, answered, 'service.link.up')
  await call.finished
  await receiver.waitFor((all) => endedCalls(all) === 2, 'the end of the call')
  await allDelivered(stack)
  const events = eventsOf(receiver.requests.slice(seen))
  checkCalls(events, [inboundAnsweredBy201('1007', 'caller', { duration: 7, ring: 3, bill: 4 })])
  expect(events.filter((event) => event.backfilled)).toEqual([])
  await checkBothServices(receiver)
})

/** Two services read one PBX: what each told is complete, and both told the same calls. */
async function checkBothServices(attached: Receiver): Promise<void> {
  const both = [...stack.receiver.requests, ...attached.requests]
  await checkNothingLost({ ...stack, receiver: { ...stack.receiver, requests: both } })
  const story = (receiver: Receiver) =>
    eventsOf(receiver.requests)
      .filter((event) => event.sequence !== null)
      .map((event) => `${event.type} ${event.occurred_at}`)
      .sort()
  expect(story(attached)).toEqual(story(stack.receiver))
}

test('the record is moved away twice during calls, as logrotate does', async () => {
  const { receiver, ports, pbx } = stack
  const seen = receiver.requests.length
  await using calls = startPlaying(
    {
      callers: [anna('1007', ...talk(4_000)), ben('1011', ...talk(6_000))],
      phones: { 201: answersAfter(1_000), 202: answersAfter(2_000) },
    },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.ringing', '202')
  await rename(pbx.celFile, `${pbx.celFile}.1`)
  await hears(receiver, seen, 'user.inbound.answered', '202')
  await rename(`${pbx.celFile}.1`, `${pbx.celFile}.2`)
  await rename(pbx.celFile, `${pbx.celFile}.1`)
  await calls.finished
  await receiver.waitFor((all) => endedCalls(all) === 2, 'the end of both calls')
  await allDelivered(stack)
  const events = eventsOf(receiver.requests.slice(seen))
  checkCalls(events, [
    inboundAnsweredBy201('1007', 'caller', { duration: 5, ring: 1, bill: 4 }),
    {
      ...fromBen,
      to: '1011',
      events: plainInbound('202'),
      ...talked('202', 'caller', { duration: 8, ring: 2, bill: 6 }),
    },
  ])
  expect(events.filter((event) => event.backfilled)).toEqual([])
  expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
})
