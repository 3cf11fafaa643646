/** Every name of a field in the documents of the hosted products, and what it stands for here. */
import { describe, expect, test } from 'vitest'
import type { EventType } from '#contracts/events/catalogue.ts'
import { eventFields, FieldName, fieldNamed } from '#contracts/events/field-names.ts'
import { listEventFields } from '#contracts/events/fields.ts'

describe('names in the documents', () => {
  test.each([
    ['Extension Number', 'user.extension_number'],
    ['Name', 'user.name'],
    ['Outbound Phone Number', 'user.outbound_phone_number'],
    ['Has Voicemail', 'user.has_voicemail'],
    ['Enabled Calls', 'user.enabled_calls'],
    ['Date/Time', 'occurred_at'],
    ['Service UUID', 'service.uuid'],
    ['Service Name', 'service.name'],
    ['Service Friendly Name', 'service.friendly_name'],
    ['Source Number', 'call.source.raw'],
    ['Destination Number', 'call.destination.raw'],
    ['Call UUID', 'call.uuid'],
    ['IVR Name', 'ivr.name'],
    ['Option Selected', 'ivr.option'],
    ['Talker', 'call.talker'],
  ])('myCloudPBX: %s', (name, path) => expect(fieldNamed(name)).toBe(path))

  test.each([
    ['uniqueid', 'call.uuid'],
    ['status', 'call.status'],
    ['bill_duration', 'call.bill_duration'],
    ['dst', 'call.destination.raw'],
    ['src', 'call.source.raw'],
    ['leadid', 'call.lead_id'],
    ['caller_id_number', 'call.caller_id_number'],
    ['public_recording', 'call.recording_url'],
    ['bridged', 'call.bridged'],
    ['start_at', 'call.started_at'],
    ['duration', 'call.duration'],
    ['end_at', 'call.ended_at'],
    ['hangup_initiator', 'call.hangup.initiator'],
    ['hangup_cause', 'call.hangup.cause'],
  ])('PBX Stats: %s', (name, path) => expect(fieldNamed(name)).toBe(path))

  test.each([
    ['unique_call_id', 'call.uuid'],
    ['caller_id', 'call.source.raw'],
    ['caller_name', 'call.source.name'],
    ['user_name', 'user.name'],
    ['user_number', 'user.extension_number'],
    ['dest_number', 'call.destination.raw'],
    ['call_start_at', 'call.started_at'],
    ['connected_at', 'call.answered_at'],
    ['call_duration', 'call.duration'],
    ['conversation_duration', 'call.bill_duration'],
    ['queue_name', 'queue.name'],
    ['ring_group_name', 'ring_group.name'],
    ['component_name', 'component.name'],
    ['call_recording_link', 'recording.url'],
    ['audio_file', 'voicemail.audio_url'],
  ])('Phone Cloud: %s', (name, path) => expect(fieldNamed(name)).toBe(path))
})

const ofTheAccount = [
  'Extension Number',
  'Name',
  'Outbound Phone Number',
  'Has Voicemail',
  'Enabled Calls',
  'Date/Time',
  'Service UUID',
  'Service Name',
  'Service Friendly Name',
]
const ofCalls = [
  'Source Number',
  'Destination Number',
  'Call UUID',
  'IVR Name',
  'Option Selected',
  'Talker',
]

test('a webhook of the account has the nine values of users, one of a PBX all fifteen', () => {
  const labels = (...types: EventType[]) => listEventFields(types).map(({ label }) => label)
  for (const type of ['user.created', 'user.modified', 'user.deleted'] as const) {
    expect(labels(type)).toEqual(expect.arrayContaining(ofTheAccount))
    expect(labels(type).filter((label) => ofCalls.includes(label))).toEqual([])
  }
  for (const type of [
    'call.inbound.received',
    'call.inbound.answered',
    'call.outbound.placed',
    'ivr.received',
    'ivr.option_selected',
  ] as const) {
    expect(labels(type)).toEqual(expect.arrayContaining([...ofTheAccount, ...ofCalls]))
  }
})

test('every field is chosen by its path', () => {
  expect(eventFields.size).toBeGreaterThan(100)
  for (const path of eventFields.keys()) expect(fieldNamed(path)).toBe(path)
})

test('case, spaces and underscores make no other name', () => {
  expect(fieldNamed('SOURCE_NUMBER')).toBe('call.source.raw')
  expect(fieldNamed('Call  uuid')).toBe('call.uuid')
})

test('a parameter of a Webhook object is one of its own', () => {
  expect(fieldNamed('component.parameters.tier')).toBe('component.parameters.tier')
  expect(fieldNamed('component.parameters.__proto__')).toBeNull()
})

test('what names nothing is told with the nearest name', () => {
  const { error } = FieldName.safeParse('hangup_cuase')
  expect(error?.issues[0]?.message).toMatch(/there is no field "hangup_cuase": /)
  expect(FieldName.safeParse('Surce Number').error?.issues[0]?.message).toMatch(/"Source Number"/)
  expect(FieldName.safeParse('constructor').success).toBe(false)
})
