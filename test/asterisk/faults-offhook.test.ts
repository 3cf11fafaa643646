/** Offhook dies, is stopped, or is started twice, while calls go on and requests are under way. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { EventOf } from '#contracts/events/catalogue.ts'
import {
  checkNothingLost,
  checkRequests,
  endedCalls,
  eventsOf,
  hears,
} from '#test/asterisk/arrivals.ts'
import { anna, answersAfter, ben, talk, untilTheyHangUp } from '#test/asterisk/people.ts'
import { play, startPlaying } from '#test/asterisk/play.ts'
import {
  allDelivered,
  asteriskPid,
  processesOf,
  type Stack,
  showLog,
  startStack,
} from '#test/asterisk/stack.ts'
import { runCommand } from '#test/cli/run-offhook.ts'
import { checkCalls } from '#test/traces/check-calls.ts'
import {
  inbound,
  inboundAnsweredBy201,
  plainInbound,
  talked,
} from '#test/traces/expected/building-blocks.ts'

let stack: Stack
beforeEach(async ({ onTestFailed }) => {
  onTestFailed(() => showLog(stack))
  stack = await startStack()
})
afterEach(async () => await stack?.[Symbol.asyncDispose]())

/** `noteAlive` writes it down this often: so much longer than it was may the gap seem after a kill. */
const aliveEveryMs = 30_000

test('kill -9 in the middle of a call: the call goes on, and what happened meanwhile is backfilled', async () => {
  const { offhook, receiver, ports } = stack
  const seen = receiver.requests.length
  const pid = await asteriskPid(stack)
  await using longCall = startPlaying(
    { callers: [anna('1007', ...talk(20_000))], phones: { 201: answersAfter(1_000) } },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.answered', '201')
  await allDelivered(stack)
  const killedAt = Date.now()
  await offhook.kill()

  const meanwhile = { callers: [ben('1011', ...talk(1_000))], phones: { 202: answersAfter(500) } }
  await play(meanwhile, { ...ports, carrierCalls: ports.carrierCalls.slice(1) })
  const startedAt = Date.now()
  await offhook.start()
  await hears(receiver, seen, 'service.link.up')
  expect(await asteriskPid(stack)).toBe(pid)
  await receiver.waitFor((all) => endedCalls(all) === 1, 'the end of the call in the gap')
  await longCall.finished
  await receiver.waitFor((all) => endedCalls(all) === 2, 'the end of both calls')
  await allDelivered(stack)

  const events = eventsOf(receiver.requests.slice(seen))
  checkCalls(events, [
    inboundAnsweredBy201('1007', 'caller', { duration: 21, bill: 20 }),
    {
      ...inbound,
      from: '0307654321',
      to: '1011',
      events: plainInbound('202'),
      ...talked('202', 'caller', { duration: 1.5, ring: 0.5, bill: 1 }),
    },
  ])
  const ofTheGap = events.filter((e) => e.sequence !== null && e.call.source.raw === '0307654321')
  expect(events.filter((event) => event.backfilled)).toEqual(ofTheGap)
  const link = events.filter((event) => event.sequence === null)
  const [down, up] = link as [EventOf<'service.link.down'>, EventOf<'service.link.up'>]
  expect(link.map((event) => event.type)).toEqual(['service.link.down', 'service.link.up'])
  expect(down.link.reason).toBe('Offhook was not running')
  expect(up.link).toMatchObject({
    down_since: down.link.down_since,
    backfilled_events: ofTheGap.length,
  })
  expect(Date.parse(up.link.up_at)).toBeGreaterThan(startedAt)
  expect(killedAt - Date.parse(down.link.down_since)).toBeGreaterThanOrEqual(0)
  expect(killedAt - Date.parse(down.link.down_since)).toBeLessThan(aliveEveryMs + 5_000)
  checkRequests(receiver.requests)
  expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
})

test('kill -9 while a slow receiver has requests: they come again, the same, and nothing is lost', async () => {
  const { offhook, receiver, ports } = stack
  const seen = receiver.requests.length
  receiver.setMode('stall')
  await play(
    {
      callers: [anna('1007', ...talk(1_000)), ben('1011', ...talk(1_000))],
      phones: { 201: answersAfter(500), 202: answersAfter(500) },
    },
    ports,
  )
  // One of each call is under way; the order of the call holds back the rest.
  await receiver.waitFor((all) => all.length === seen + 2, 'a request of each call')
  await offhook.kill()
  const underWay = receiver.requests.slice(seen).map(({ event }) => event?.id)
  receiver.setMode('ok')
  await offhook.start()
  await receiver.waitFor((all) => endedCalls(all) === 2, 'the end of both calls', 30_000)
  await allDelivered(stack)
  const twice = receiver.requests
    .map(({ event }) => event?.id)
    .filter((id, at, all) => all.indexOf(id) !== at)
  expect(twice.sort()).toEqual(underWay.sort())
  checkRequests(receiver.requests)
  expect(await checkNothingLost(stack)).toEqual({ repeated: 2 })
})

test('SIGTERM in the middle of a call: the call ends and is told, and no process stays', async () => {
  const { offhook, receiver, ports } = stack
  const seen = receiver.requests.length
  await using call = startPlaying(
    { callers: [anna('1007', ...untilTheyHangUp)], phones: { 201: answersAfter(1_000) } },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.answered', '201')
  expect(await offhook.stop()).toBe(0)
  await call.finished
  expect(await processesOf(stack)).toEqual([])

  await offhook.start()
  await hears(receiver, seen, 'service.link.up')
  await receiver.waitFor((all) => endedCalls(all) === 1, 'the end of the call')
  await allDelivered(stack)
  checkCalls(eventsOf(receiver.requests.slice(seen)), [
    inboundAnsweredBy201('1007', 'system', { duration: 1.5, ring: 1, bill: 0.5 }),
  ])
  checkRequests(receiver.requests)
  expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
})

test('a second Offhook on the same data folder refuses, and the call of the first goes on', async () => {
  const { offhook, receiver, ports } = stack
  const seen = receiver.requests.length
  const pid = await asteriskPid(stack)
  await using call = startPlaying(
    { callers: [anna('1007', ...talk(5_000))], phones: { 201: answersAfter(500) } },
    ports,
  )
  await hears(receiver, seen, 'user.inbound.answered', '201')
  const second = await runCommand(['start'], { OFFHOOK_DATA: offhook.dataFolder })
  expect(second).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Another Offhook is running on the database'),
  })
  await call.finished
  await receiver.waitFor((all) => endedCalls(all) === 1, 'the end of the call')
  await allDelivered(stack)
  expect(await asteriskPid(stack)).toBe(pid)
  checkCalls(eventsOf(receiver.requests.slice(seen)), [
    inboundAnsweredBy201('1007', 'caller', { duration: 5.5, ring: 0.5, bill: 5 }),
  ])
  expect(await checkNothingLost(stack)).toEqual({ repeated: 0 })
})
