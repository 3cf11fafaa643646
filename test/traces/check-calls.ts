/** Holds the events of calls, recorded or live, against what is expected of them. */
import { expect } from 'vitest'
import type { CallEvent, Event, EventOf } from '#contracts/events/catalogue.ts'
import type {
  ExpectedAnswer,
  ExpectedBeginning,
  ExpectedCall,
} from '#test/traces/expected/building-blocks.ts'

type Expected = ExpectedCall | ExpectedBeginning

/** The events must be those of the expected calls, all of them and no others. Throws as `expect` does. */
export function checkCalls(events: readonly Event[], expected: readonly Expected[]): void {
  const calls = groupByCall(events)
  const left = [...expected]
  expect(calls.map(callKey).sort()).toEqual(left.map(expectedKey).sort())
  for (const call of calls) {
    const at = left.findIndex((candidate) => expectedKey(candidate) === callKey(call))
    const [wanted] = left.splice(at, 1)
    if (wanted !== undefined) checkCall(call, wanted)
  }
  checkMerges(calls)
}

/** In each call the sequence must count from 1 without gaps, in the order of the events as given. */
export function checkSequences(events: readonly Event[]): void {
  for (const call of groupByCall(events)) {
    expect(call.map((event) => event.sequence)).toEqual(call.map((_, index) => index + 1))
  }
}

/** The events of calls, by call, each in the order given; the others are left out. */
export function groupByCall(events: readonly Event[]): CallEvent[][] {
  const calls = events.filter((event): event is CallEvent => event.sequence !== null)
  return Object.values(Object.groupBy(calls, (event) => event.call.uuid)).map((c) => c ?? [])
}

/** A call without an end of its own is named by the end, and by the transfer, that joined it to another. */
function checkMerges(calls: readonly (readonly CallEvent[])[]): void {
  const events = calls.flat()
  const endless = calls
    .filter((call) => call.at(-1)?.type !== 'call.ended')
    .map((call) => call[0]?.call.uuid)
  const told = (uuids: readonly (string | null)[]) => uuids.filter((uuid) => uuid !== null).sort()
  const byEnds = events.flatMap((e) => (e.type === 'call.ended' ? e.call.merged_uuids : []))
  const byTransfers = events.flatMap((e) =>
    e.type === 'call.transferred' ? [e.transfer.merged_uuid] : [],
  )
  expect(told(byEnds)).toEqual(endless.sort())
  expect(told(byTransfers)).toEqual(endless.sort())
}
function callKey(call: readonly CallEvent[]): string {
  const { direction, source, destination } = (call[0] as CallEvent).call
  return `${direction} ${source.raw} ${destination.raw}`
}

function expectedKey(call: ExpectedBeginning): string {
  return `${call.direction} ${call.from} ${call.to}`
}

function checkCall(call: readonly CallEvent[], wanted: ExpectedCall | ExpectedBeginning): void {
  expect((call[0] as CallEvent).call.source).toMatchObject(wanted.source ?? {})
  checkEvents(call, wanted)
  const last = call.at(-1) as CallEvent
  if (!('status' in wanted)) expect(last.type).not.toBe('call.ended')
  else if (last.type === 'call.ended') {
    checkRecord(last, wanted)
    checkAnswers(call, wanted.answers ?? [])
  }
}

/** The events of one call must be those, in that order. Throws as `expect` does. */
export function checkEvents(call: readonly CallEvent[], wanted: ExpectedBeginning): void {
  const lines = call.map(line)
  const inOrder: (string | string[])[] = []
  for (const step of wanted.events) {
    const next = lines.splice(0, typeof step === 'string' ? 1 : step.length)
    inOrder.push(typeof step === 'string' ? (next[0] ?? '') : next.sort())
  }
  expect([...inOrder, ...lines]).toEqual(
    wanted.events.map((step) => (typeof step === 'string' ? step : [...step].sort())),
  )
}

function checkRecord(ended: EventOf<'call.ended'>, wanted: ExpectedCall): void {
  const record = ended.call
  expect({
    status: record.status,
    hangup: [record.hangup.initiator, record.hangup.cause],
    talker: record.talker,
    bridged: record.bridged,
    answeredBy: record.answered_by?.extension_number ?? null,
    via: record.via,
    divertedTo: record.diverted_to,
    incomplete: record.incomplete,
    merged: record.merged_uuids.length,
  }).toEqual({
    status: wanted.status,
    hangup: wanted.hangup,
    talker: wanted.talker,
    bridged: wanted.bridged,
    answeredBy: wanted.answeredBy,
    via: wanted.via ?? null,
    divertedTo: wanted.divertedTo ?? null,
    incomplete: wanted.incomplete ?? false,
    merged: wanted.merged ?? 0,
  })
  expectSeconds('duration', record.duration, wanted.duration)
  const lasted = Date.parse(record.ended_at ?? '') - Date.parse(record.started_at)
  expectSeconds('from start to end', lasted / 1_000, record.duration)
  expectSeconds('bill', record.bill_duration, wanted.bill)
  if (wanted.ring !== undefined) expectSeconds('ring', record.ring_duration, wanted.ring)
  expectSeconds('wait', record.wait_duration, wanted.wait ?? 0)
}

type Summary =
  | EventOf<'queue.call.summary'>['queue']
  | EventOf<'ring_group.call.summary'>['ring_group']

/** A summary tells the answer in its own queue or ring group, and a talk as long as the part of who answered. */
function checkAnswers(call: readonly CallEvent[], wanted: readonly ExpectedAnswer[]): void {
  const summaries = call.flatMap<Summary>(summaryOf)
  const answered = summaries.filter(({ answered_at }) => answered_at !== null)
  expect(answered).toHaveLength(wanted.length)
  const began = Date.parse((call[0] as CallEvent).call.started_at)
  for (const [index, { after, talk }] of wanted.entries()) {
    const { answered_at, answered_by, talk_duration } = answered[index] as Summary
    expectSeconds('answer', (Date.parse(answered_at ?? '') - began) / 1_000, after)
    expectSeconds('talk', talk_duration, talk)
    expect(call.flatMap(partOf)).toContainEqual([answered_by, answered_at, talk_duration])
  }
  for (const { answered_at, answered_by, talk_duration } of summaries) {
    if (answered_at === null) expect([answered_by, talk_duration]).toEqual([null, 0])
  }
}

function summaryOf(event: CallEvent): Summary[] {
  if (event.type === 'queue.call.summary') return [event.queue]
  return event.type === 'ring_group.call.summary' ? [event.ring_group] : []
}

function partOf(event: CallEvent) {
  if (event.type !== 'user.inbound.completed') return []
  return [[event.user, event.part.answered_at, event.part.talk_duration]]
}

function expectSeconds(what: string, is: number, wanted: number): void {
  expect(Math.abs(is - wanted), `${what}: ${is} s instead of ${wanted} s`).toBeLessThanOrEqual(1)
}

/** The one-line form in which the expectations are written. */
function line(event: CallEvent): string {
  const where = event.queue ?? event.ring_group
  const words = [event.type, event.user?.extension_number, where && `@${where.name}`, detail(event)]
  return words.filter((word) => word !== undefined && word !== null && word !== '').join(' ')
}

function detail(event: CallEvent): string {
  switch (event.type) {
    case 'ivr.received':
      return event.ivr.name
    case 'ivr.option_selected':
      return `${event.ivr.name} ${event.ivr.option ?? 'timeout'}${event.ivr.valid || event.ivr.option === null ? '' : ' invalid'}`
    case 'call.inbound.answered':
    case 'user.inbound.answered':
      return event.call.via === 'pickup' && event.call.answered_at === event.occurred_at
        ? 'pickup'
        : ''
    case 'user.inbound.completed':
    case 'user.outbound.completed':
      return event.part.outcome
    case 'call.transferred':
      return `${event.transfer.kind} ${event.transfer.to}`
    case 'call.missed':
      return event.reached ?? ''
    case 'queue.call.summary':
      return `${event.queue.outcome} ${event.queue.agents_tried.map(tried).join(' ')}`.trim()
    case 'ring_group.call.summary':
      return `${event.ring_group.outcome} ${event.ring_group.members_tried.map(tried).join(' ')}`.trim()
    case 'webhook_component_event':
      return event.component.name
    default:
      return ''
  }
}

function tried(user: { extension_number: string; attempts: number }): string {
  return `${user.extension_number}x${user.attempts}`
}
