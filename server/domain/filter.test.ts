import { expect, test } from 'vitest'
import { type Event, type EventType, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import { type FilterName, Filters, noFilters } from '#contracts/webhook/filters.ts'
import { prepareFilters } from '#server/domain/filter.ts'
import { filterHints } from '#server/domain/filter-hints.ts'

/** Why the event is stopped; null: it is let through. */
function stops(filters: Partial<Filters>, event: Event, country: string | null = null) {
  const prepared = prepareFilters({ ...noFilters, ...filters })
  if (prepared === null) throw new Error('there is no filter')
  return prepared(event, country)
}

const ended = eventSamples['call.ended']
const received = eventSamples['call.inbound.received']

test('no filter is nothing to ask', () => {
  expect(prepareFilters(noFilters)).toBeNull()
  expect(Filters.parse({})).toEqual(noFilters)
})

/** A value that lets the sample of call.ended through, and what is said of another. */
const ofEnded: Record<FilterName, readonly [Partial<Filters>, Partial<Filters>, string]> = {
  call_types: [
    { call_types: ['inbound'] },
    { call_types: ['outbound', 'internal'] },
    'The filter on call_types wants outbound, internal; the call was inbound.',
  ],
  users: [
    { users: [ended.user?.uuid ?? ''] },
    { users: ['00000000-0000-4000-8000-000000000000'] },
    `The filter on users wants 00000000-0000-4000-8000-000000000000; the event was of ${ended.user?.uuid}.`,
  ],
  extensions: [
    { extensions: ['201', '299'] },
    { extensions: ['299'] },
    'The filter on extensions wants 299; the event was of 201.',
  ],
  numbers: [
    { numbers: [ended.call.source.number ?? ''] },
    { numbers: ['+4930123456'] },
    `The filter on numbers wants +4930123456; the call had ${ended.call.source.number}, ${ended.call.destination.number}`,
  ],
  queues: [
    { queues: ['sales', 'support'] },
    { queues: ['support', 'billing'] },
    'The filter on queues wants support, billing; the call was in sales.',
  ],
  ring_groups: [
    {},
    { ring_groups: ['front-desk'] },
    'The filter on ring_groups wants front-desk; the call was in none.',
  ],
  ivrs: [
    { ivrs: ['main'] },
    { ivrs: ['night'] },
    'The filter on ivrs wants night; the call was in',
  ],
  ivr_options: [
    { ivr_options: ['3'] },
    { ivr_options: ['1'] },
    'The filter on ivr_options wants 1; the caller chose 3.',
  ],
  statuses: [
    { statuses: ['answered', 'voicemail'] },
    { statuses: ['missed', 'busy'] },
    'The filter on statuses wants missed, busy; the call was answered.',
  ],
  min_duration: [
    { min_duration: ended.call.duration },
    { min_duration: ended.call.duration + 1 },
    `The filter on min_duration wants ${ended.call.duration + 1} s; it was ${ended.call.duration} s.`,
  ],
}

test.each(Object.entries(ofEnded))('%s: one value is enough, none says both', (_, row) => {
  const [through, stopped, says] = row
  if (Object.keys(through).length > 0) expect(stops(through, ended)).toBeNull()
  expect(stops(stopped, ended)).toContain(says)
})

test('filters are combined with and: the first that stops it is named', () => {
  expect(stops({ queues: ['sales'], statuses: ['missed'] }, ended)).toContain('statuses')
  expect(stops({ queues: ['sales'], statuses: ['answered'] }, ended)).toBeNull()
})

/** Types of event that the filter can stop, as events.md has their facts. */
const calls = eventTypes.filter((type) => 'call' in eventSamples[type])
const ofUsers: EventType[] = ['user.created', 'user.modified', 'user.deleted']
const records: EventType[] = [
  'call.missed',
  'call.ended',
  'queue.call.summary',
  'ring_group.call.summary',
]
const concerned: Record<FilterName, readonly EventType[]> = {
  call_types: calls,
  users: [...ofUsers, ...calls],
  extensions: [...ofUsers, ...calls],
  numbers: calls,
  queues: calls,
  ring_groups: calls,
  ivrs: calls,
  ivr_options: calls,
  statuses: records,
  min_duration: [...records, 'user.inbound.completed', 'user.outbound.completed'],
}
/** What no sample has. */
const never: { readonly [F in FilterName]: Partial<Filters> } = {
  call_types: {},
  users: { users: ['00000000-0000-4000-8000-000000000000'] },
  extensions: { extensions: ['999999'] },
  numbers: { numbers: ['+4930123456'] },
  queues: { queues: ['none'] },
  ring_groups: { ring_groups: ['none'] },
  ivrs: { ivrs: ['none'] },
  ivr_options: { ivr_options: ['99'] },
  statuses: { statuses: ['failed'] },
  min_duration: { min_duration: 86_400 },
}

test.each(Object.entries(never).filter(([name]) => name !== 'call_types'))(
  '%s stops events of the types that have the fact, and none of the others',
  (name, filters) => {
    const stopped = eventTypes.filter((type) => stops(filters, eventSamples[type]) !== null)
    expect(stopped.toSorted()).toEqual(concerned[name as FilterName].toSorted())
  },
)

test('call types stop calls only', () => {
  const filters: Partial<Filters> = { call_types: ['internal'] }
  expect(stops(filters, eventSamples['call.internal.placed'])).toBeNull()
  expect(stops(filters, eventSamples['call.outbound.placed'])).toContain('the call was outbound')
  expect(stops(filters, eventSamples['service.link.down'])).toBeNull()
})

test('a fact that the type has and the event has not stops it', () => {
  expect(stops({ queues: ['sales'] }, received)).toBe(
    'The filter on queues wants sales; the call was in none.',
  )
  expect(stops({ users: [ended.user?.uuid ?? ''] }, received)).toContain('no user')
})

test('a number is found as it is dialled in the country of the service, at either end', () => {
  const call = {
    ...ended.call,
    source: { ...ended.call.source, number: '+61288881234', raw: '0288881234' },
    destination: { ...ended.call.destination, number: '+61290001002', raw: '1002' },
  }
  const event: Event = { ...ended, call }
  for (const number of ['+61288881234', '+61 2 8888 1234', '61288881234', '1002', '+61290001002']) {
    expect(stops({ numbers: [number] }, event)).toBeNull()
  }
  expect(stops({ numbers: ['(02) 8888 1234'] }, event, 'AU')).toBeNull()
  expect(stops({ numbers: ['(02) 8888 1234'] }, event, 'GB')).toContain('numbers')
  // The same prepared filter for PBXs of two countries.
  const prepared = prepareFilters({ ...noFilters, numbers: ['0288881234'] })
  expect(prepared?.(event, 'GB')).toContain('numbers')
  expect(prepared?.(event, 'AU')).toBeNull()
})

test('an event of no user is of those who had a part in it', () => {
  const nobody = { ...ended, user: null }
  const phones = nobody.legs.flatMap((leg) => leg.extension_number ?? [])
  expect(phones.length).toBeGreaterThan(1)
  for (const extension of phones) expect(stops({ extensions: [extension] }, nobody)).toBeNull()
  const internal = { ...eventSamples['call.internal.placed'], user: null }
  const { source, destination } = internal.call
  for (const { raw } of [source, destination]) {
    expect(stops({ extensions: [raw ?? ''] }, internal)).toBeNull()
  }
  const summary = { ...eventSamples['queue.call.summary'], user: null }
  expect(stops({ extensions: ['202'] }, summary)).toBeNull()
  // The caller of an inbound call is outside, whatever the number looks like.
  const outside = { ...received.call, source: { ...received.call.source, raw: '201' } }
  expect(stops({ extensions: ['201'] }, { ...received, call: outside })).toContain('no user')
})

test('the least duration of a user’s event is that of the part', () => {
  const part = eventSamples['user.inbound.completed']
  expect(stops({ min_duration: part.part.duration }, part)).toBeNull()
  expect(stops({ min_duration: part.part.duration + 1 }, part)).toContain('min_duration')
})

test('a long list is not read out', () => {
  const queues = Array.from({ length: 12 }, (_, i) => `q${i}`)
  expect(stops({ queues }, ended)).toContain('q9 and 2 more; the call was in sales.')
})

test('hints name what the PBX has not, and what a type never has', () => {
  const document = PbxDocument.parse({
    name: 'pbx1',
    users: [
      { uuid: ended.user?.uuid, extension_number: '201', name: 'Alice', secret: 'x'.repeat(20) },
    ],
    queues: [{ name: 'sales', members: ['201'] }],
  })
  const filters: Filters = {
    ...noFilters,
    users: [ended.user?.uuid ?? ''],
    extensions: ['201', '202'],
    queues: ['sales', 'salse'],
    statuses: ['missed'],
  }
  expect(filterHints('call.inbound.answered', filters, document)).toEqual([
    {
      field: 'filters.statuses',
      message: 'call.inbound.answered never has it: this filter stops no event of that type',
    },
    {
      field: 'filters.extensions[1]',
      message: 'the PBX has no user with the extension "202": did you mean "201"?',
    },
    { field: 'filters.queues[1]', message: 'the PBX has no queue "salse": did you mean "sales"?' },
  ])
  expect(filterHints('call.ended', filters, null)).toEqual([])
})
