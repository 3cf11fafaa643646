import { expect, test } from 'vitest'
import type { EventType } from '#contracts/events/catalogue.ts'
import { type Filters, noFilters } from '#contracts/webhook/filters.ts'
import { filterHints } from '#server/domain/filter-hints.ts'

const hintsOf = (type: EventType, filters: Partial<Filters>) =>
  filterHints(type, { ...noFilters, ...filters }, null)

const users = ['8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2010']

test.each<[EventType, Partial<Filters>, string]>([
  ['call.inbound.received', { extensions: ['201'] }, 'user.inbound.ringing'],
  ['call.inbound.received', { users }, 'user.inbound.ringing'],
  ['call.inbound.received', { queues: ['sales'] }, 'queue.call.summary'],
  ['call.inbound.received', { ring_groups: ['600'] }, 'ring_group.call.summary'],
  ['call.inbound.received', { ivrs: ['main'] }, 'ivr.received'],
  ['call.inbound.received', { ivr_options: ['1'] }, 'ivr.option_selected'],
  ['call.inbound.received', { call_types: ['outbound'] }, 'call.outbound.placed'],
  ['call.outbound.placed', { call_types: ['inbound'] }, 'call.inbound.received'],
  ['call.internal.answered', { call_types: ['outbound'] }, 'call.outbound.answered'],
  ['call.missed', { statuses: ['answered'] }, 'call.ended'],
  ['call.missed', { call_types: ['internal'] }, 'call.ended'],
  ['user.outbound.placed', { call_types: ['inbound'] }, 'user.inbound.ringing'],
  ['user.outbound.answered', { call_types: ['inbound'] }, 'user.inbound.answered'],
  ['recording.inbound.completed', { call_types: ['internal'] }, 'recording.outbound.completed'],
  ['ivr.received', { ivr_options: ['1'] }, 'ivr.option_selected'],
  ['ivr.received', { users }, 'user.inbound.ringing'],
  ['ivr.option_selected', { users }, 'user.inbound.ringing'],
  ['queue.call.summary', { ring_groups: ['600'] }, 'ring_group.call.summary'],
  ['ring_group.call.summary', { queues: ['sales'] }, 'queue.call.summary'],
])('no %s passes %j: %s does', (type, filters, other) => {
  const [name] = Object.keys(filters)
  const hints = hintsOf(type, filters)
  expect(hints).toMatchObject([{ field: `filters.${name}` }])
  expect(hints[0]?.message).toMatch(new RegExp(`^no ${type} passes: .*; .*${other} `))
})

test('says why in one sentence', () => {
  expect(hintsOf('call.inbound.received', { extensions: ['201'] })).toEqual([
    {
      field: 'filters.extensions',
      message:
        'no call.inbound.received passes: the call has just arrived and is of no user yet; user.inbound.ringing is of the user whose phone rings',
    },
  ])
  expect(hintsOf('call.inbound.received', { call_types: ['outbound', 'internal'] })).toMatchObject([
    {
      message:
        'no call.inbound.received passes: it is of inbound calls only; call.outbound.placed is of outbound ones, call.internal.placed is of internal ones',
    },
  ])
  expect(hintsOf('call.missed', { call_types: ['outbound', 'internal'] })).toMatchObject([
    {
      message:
        'no call.missed passes: it is of inbound calls only; call.ended is of outbound and internal ones',
    },
  ])
})

test.each<[EventType, Partial<Filters>]>([
  ['call.inbound.received', { call_types: ['outbound', 'inbound'], numbers: ['+61288881234'] }],
  ['call.missed', { statuses: ['answered', 'missed'], extensions: ['201'] }],
  ['ivr.received', { extensions: ['201'] }],
  ['user.inbound.ringing', { call_types: ['outbound'], ivr_options: ['1'] }],
  ['user.outbound.completed', { call_types: ['inbound'] }],
  ['call.ended', { users, statuses: ['answered'] }],
])('some %s can pass %j', (type, filters) => {
  expect(hintsOf(type, filters)).toEqual([])
})
