import { expect, test } from 'vitest'
import type { CallSeen, Fact } from '#server/domain/calls/facts.ts'
import { describe as describeEvent, describeLinkUp } from '#server/domain/events/describe.ts'
import type { Directory } from '#server/domain/events/directory.ts'
import { callUuid, eventId, namedUuid } from '#server/domain/events/ids.ts'
import { toE164 } from '#server/domain/events/phone-number.ts'

const directory: Directory = {
  account: { id: 'acc_1', name: 'Acme' },
  service: {
    uuid: '5f0c6a3e-4f1d-4c57-9a52-0d5c2c1a7b11',
    name: 'pbx1',
    friendly_name: 'Head office',
    type: 'hosted_pbx',
  },
  country: 'AU',
  users: new Map([
    [
      '201',
      {
        uuid: '0b8f5a1c-54d5-4a86-8f2a-0a3f6f1f8a01',
        extension_number: '201',
        name: 'Alice Archer',
        outbound_phone_number: '+61290001201',
        has_voicemail: true,
        enabled_calls: ['Local'],
      },
    ],
  ]),
  numbers: new Map([['1001', { e164: '+61290001001', label: 'Main line' }]]),
  audioLink: (kind, eventId, at) => `https://pbx.example/${kind}/${eventId}/${at}`,
}

const inbound: CallSeen = {
  direction: 'inbound',
  source: { raw: '0288881234', name: 'Anna', anonymous: false, user: null },
  destinationRaw: '1001',
  startedAt: 1_795_359_620_458.846,
  answeredAt: null,
  endedAt: null,
  talker: false,
  via: null,
  leadId: null,
}

function ringing(call: CallSeen, extension: string): Fact {
  return {
    type: 'user.inbound.ringing',
    callId: 'pbx1-1795359620.0',
    sequence: 2,
    at: 1_795_359_620_546.9,
    call,
    user: { extension, name: 'as displayed' },
    queue: null,
    ringGroup: null,
    ivr: null,
    details: null,
  }
}

test('numbers become E.164 by the country of the service, DIDs by the directory', () => {
  const { call } = describeEvent(ringing(inbound, '201'), directory, false)
  expect(call.source).toEqual({
    number: '+61288881234',
    raw: '0288881234',
    name: 'Anna',
    anonymous: false,
  })
  expect(call.destination).toEqual({ number: '+61290001001', raw: '1001', name: 'Main line' })
  expect(call.caller_id_number).toBe('0288881234')
})

test('a user is the one of the directory; an unknown one is told as the PBX displayed it', () => {
  expect(describeEvent(ringing(inbound, '201'), directory, false).user).toMatchObject({
    name: 'Alice Archer',
    outbound_phone_number: '+61290001201',
  })
  expect(describeEvent(ringing(inbound, '299'), directory, false).user).toMatchObject({
    uuid: null,
    name: 'as displayed',
  })
})

test('a call of a user shows the number that the user shows', () => {
  const outbound: CallSeen = {
    ...inbound,
    direction: 'outbound',
    source: { raw: '201', name: 'x', anonymous: false, user: { extension: '201', name: 'x' } },
    destinationRaw: '0288881234',
  }
  const { call } = describeEvent(ringing(outbound, '201'), directory, false)
  expect(call.source.number).toBe('+61290001201')
  expect(call.source.name).toBe('Alice Archer')
  expect(call.destination.number).toBe('+61288881234')
  expect(call.caller_id_number).toBe('+61290001201')
})

test('the same fact has the same id and bytes, read live or after a gap', () => {
  const live = describeEvent(ringing(inbound, '201'), directory, false)
  const late = describeEvent(ringing(inbound, '201'), directory, true)
  expect(late).toEqual({ ...live, backfilled: true })
  expect(live.id).toBe(eventId(1_795_359_620_000, directory.service.uuid, 'pbx1-1795359620.0 2'))
  expect(live.occurred_at).toBe('2026-11-22T15:00:20.546Z')
})

test('ids differ by service, call and sequence', () => {
  const other = '6f0c6a3e-4f1d-4c57-9a52-0d5c2c1a7b11'
  const ids = [
    eventId(0, directory.service.uuid, 'a.0 1'),
    eventId(0, directory.service.uuid, 'a.0 2'),
    eventId(0, directory.service.uuid, 'a.1 1'),
    eventId(0, other, 'a.0 1'),
  ]
  expect(new Set(ids).size).toBe(4)
  expect(callUuid(other, 'a.0')).not.toBe(callUuid(directory.service.uuid, 'a.0'))
})

test('named UUIDs are those of RFC 9562 (its example A.4)', () => {
  expect(namedUuid('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  )
})

test.each([
  ['0288881234', 'AU', '+61288881234'],
  ['+61288881234', null, '+61288881234'],
  ['0061288881234', null, '+61288881234'],
  ['0288881234', null, null],
  ['201', 'AU', null],
  ['anonymous', 'AU', null],
  ['0288881234', 'XX', null],
  [null, 'AU', null],
])('%s in %s is %s', (raw, country, wanted) => {
  expect(toE164(raw, country)).toBe(wanted)
})

test('the link tells its gap', () => {
  const event = describeLinkUp(directory, { at: 2_000, downSince: 1_000, backfilledEvents: 7 })
  expect(event).toMatchObject({
    type: 'service.link.up',
    sequence: null,
    link: { down_since: '1970-01-01T00:00:01.000Z', backfilled_events: 7 },
  })
})
