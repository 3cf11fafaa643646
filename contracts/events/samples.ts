/**
 * One realistic event of each type, for forms, previews, tests and the event reference.
 *
 * All samples tell one story, a morning at an Australian head office:
 *
 *   20:14  Anna calls the main line, chooses 3 at the IVR, waits in the queue `sales` (Bob does not answer), talks
 *          with Alice, who transfers her to Carol. The call is recorded.
 *   20:31  Somebody withholds the number and calls the ring group `front-desk`; Bob answers.
 *   20:40  A mobile calls Alice directly, who does not answer, and leaves a message.
 *   20:52  Bob calls that mobile back, recorded.
 *   20:58  Alice calls Carol.
 */
import type { EventOf, EventType } from '#contracts/events/catalogue.ts'
import type { Call, CallRecord, Leg, UserRef } from '#contracts/events/facts.ts'

type CallParts = Pick<EventOf<'call.inbound.received'>, 'user' | 'queue' | 'ring_group' | 'ivr'>

const account = { id: 'acc_01KANHARB0URDENTA1', name: 'Harbour Dental' }
const service = {
  uuid: '3e0f1d52-6a55-4b1c-9d6e-0f1a7c2b9e10',
  name: 'pbx1',
  friendly_name: 'Head office',
  type: 'hosted_pbx' as const,
}

const alice: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2010',
  extension_number: '201',
  name: 'Alice',
  outbound_phone_number: '+61290001201',
  has_voicemail: true,
  enabled_calls: ['Local', 'National', 'Mobile'],
}
const bob: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2020',
  extension_number: '202',
  name: 'Bob',
  outbound_phone_number: '+61290001202',
  has_voicemail: true,
  enabled_calls: ['Local', 'National', 'Mobile', 'International'],
}
const carol: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2030',
  extension_number: '203',
  name: 'Carol',
  outbound_phone_number: '+61290001203',
  has_voicemail: false,
  enabled_calls: ['Local', 'National'],
}
const dave: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2040',
  extension_number: '204',
  name: 'Dave',
  outbound_phone_number: null,
  has_voicemail: true,
  enabled_calls: ['Local'],
}

/** A time of the story's morning: `at('20:15:04.120')`. */
const at = (time: string): string => `2026-11-22T${time}Z`

const nowhere: CallParts = { user: null, queue: null, ring_group: null, ivr: null }
const inSales = { queue: { name: 'sales' }, ivr: { name: 'main', option: '3' } }
const inFrontDesk = { ring_group: { name: 'front-desk' } }

/** What the five calls are, before anybody answered. */
const fromAnna: Call = {
  uuid: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001',
  direction: 'inbound',
  source: { number: '+61288881234', raw: '0288881234', name: 'Anna', anonymous: false },
  destination: { number: '+61290001002', raw: '1002', name: 'Main line' },
  caller_id_number: '0288881234',
  started_at: at('20:14:41.205'),
  answered_at: null,
  ended_at: null,
  talker: false,
  via: null,
  lead_id: null,
}
const fromUnknown: Call = {
  uuid: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30002',
  direction: 'inbound',
  source: { number: null, raw: null, name: null, anonymous: true },
  destination: { number: '+61290001004', raw: '1004', name: 'Front desk' },
  caller_id_number: null,
  started_at: at('20:31:07.400'),
  answered_at: null,
  ended_at: null,
  talker: false,
  via: null,
  lead_id: null,
}
const fromMobile: Call = {
  uuid: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30003',
  direction: 'inbound',
  source: { number: '+61491570156', raw: '0491570156', name: null, anonymous: false },
  destination: { number: '+61290001001', raw: '1001', name: 'Alice direct' },
  caller_id_number: '0491570156',
  started_at: at('20:40:12.018'),
  answered_at: null,
  ended_at: null,
  talker: false,
  via: null,
  lead_id: null,
}
const toMobile: Call = {
  uuid: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30004',
  direction: 'outbound',
  source: { number: '+61290001202', raw: '202', name: 'Bob', anonymous: false },
  destination: { number: '+61491570156', raw: '0491570156', name: null },
  caller_id_number: '+61290001202',
  started_at: at('20:52:30.660'),
  answered_at: null,
  ended_at: null,
  talker: false,
  via: null,
  lead_id: 'L-20417',
}
const toCarol: Call = {
  uuid: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30005',
  direction: 'internal',
  source: { number: '+61290001201', raw: '201', name: 'Alice', anonymous: false },
  destination: { number: null, raw: '203', name: 'Carol' },
  caller_id_number: '+61290001201',
  started_at: at('20:58:03.110'),
  answered_at: null,
  ended_at: null,
  talker: false,
  via: null,
  lead_id: null,
}

const answered = (call: Call, time: string): Call => ({
  ...call,
  answered_at: time,
  talker: true,
})
const annaAnswered = answered(fromAnna, at('20:15:04.120'))
const mobileAnswered = answered(toMobile, at('20:52:38.905'))

const normalClearing = { q850: 16, text: 'Normal call clearing', sip_code: null }

const annaEnded: CallRecord = {
  ...annaAnswered,
  ended_at: at('20:19:30.060'),
  status: 'answered',
  bridged: true,
  duration: 289,
  bill_duration: 266,
  ring_duration: 16,
  wait_duration: 17,
  hangup: { initiator: 'caller', cause: 'Answered', ...normalClearing },
  answered_by: alice,
  diverted_to: null,
  recording_url: 'https://pbx.example.com/recordings/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001',
  incomplete: false,
  merged_uuids: [],
}
const unknownEnded: CallRecord = {
  ...answered(fromUnknown, at('20:31:12.150')),
  ended_at: at('20:32:40.300'),
  status: 'answered',
  bridged: true,
  duration: 93,
  bill_duration: 88,
  ring_duration: 5,
  wait_duration: 0,
  hangup: { initiator: 'callee', cause: 'Answered', ...normalClearing },
  answered_by: bob,
  diverted_to: null,
  recording_url: null,
  incomplete: false,
  merged_uuids: [],
}
const mobileMissed: CallRecord = {
  ...fromMobile,
  ended_at: at('20:41:05.530'),
  status: 'voicemail',
  bridged: false,
  duration: 54,
  bill_duration: 0,
  ring_duration: 20,
  wait_duration: 0,
  hangup: { initiator: 'caller', cause: 'No Answer', ...normalClearing },
  answered_by: null,
  diverted_to: null,
  recording_url: null,
  incomplete: false,
  merged_uuids: [],
}

const annaLegs: Leg[] = [
  {
    kind: 'external',
    role: 'caller',
    extension_number: null,
    name: 'Anna',
    number: '0288881234',
    queue: null,
    ring_group: null,
    via: null,
    started_at: at('20:14:41.205'),
    answered_at: at('20:15:04.120'),
    ended_at: at('20:19:30.060'),
    duration: 289,
    talk_duration: 266,
    outcome: 'completed',
  },
  {
    kind: 'user',
    role: 'target',
    extension_number: '202',
    name: 'Bob',
    number: null,
    queue: 'sales',
    ring_group: null,
    via: null,
    started_at: at('20:14:46.940'),
    answered_at: null,
    ended_at: at('20:15:01.950'),
    duration: 15,
    talk_duration: 0,
    outcome: 'missed',
  },
  {
    kind: 'user',
    role: 'target',
    extension_number: '201',
    name: 'Alice',
    number: null,
    queue: 'sales',
    ring_group: null,
    via: null,
    started_at: at('20:15:02.955'),
    answered_at: at('20:15:04.120'),
    ended_at: at('20:17:10.482'),
    duration: 128,
    talk_duration: 126,
    outcome: 'completed',
  },
  {
    kind: 'user',
    role: 'target',
    extension_number: '203',
    name: 'Carol',
    number: null,
    queue: null,
    ring_group: null,
    via: null,
    started_at: at('20:17:10.490'),
    answered_at: at('20:17:13.700'),
    ended_at: at('20:19:30.055'),
    duration: 140,
    talk_duration: 136,
    outcome: 'completed',
  },
]

/** Keys that every event of a call has: when, which number within the call, and the call as it stood then. */
function ofCall<C extends Call>(
  sequence: number,
  occurredAt: string,
  call: C,
  parts: Partial<CallParts>,
) {
  return {
    id: eventId(`${call.uuid.slice(-1)}${String(sequence).padStart(2, '0')}`),
    occurred_at: occurredAt,
    sequence,
    backfilled: false,
    account,
    service,
    call,
    ...nowhere,
    ...parts,
  }
}

function ofService(number: string, occurredAt: string) {
  return {
    id: eventId(number),
    occurred_at: occurredAt,
    sequence: null,
    backfilled: false,
    account,
    service,
  }
}

function eventId(number: string): string {
  return `evt_01KANZ6Q0MB4XWJ5T2CH8RD${number}`
}

/** A sample of each type of event, in the native form. Consumers must not rely on its values. */
export const eventSamples: { readonly [T in EventType]: EventOf<T> } = {
  'user.created': { type: 'user.created', ...ofService('901', at('19:58:20.300')), user: dave },
  'user.modified': {
    type: 'user.modified',
    ...ofService('902', at('20:03:44.871')),
    user: { ...dave, name: 'Dave Nguyen' },
    changed_fields: ['name'],
  },
  'user.deleted': {
    type: 'user.deleted',
    ...ofService('903', at('21:30:00.042')),
    user: { ...dave, name: 'Dave Nguyen' },
  },
  'call.inbound.received': {
    type: 'call.inbound.received',
    ...ofCall(1, at('20:14:41.205'), fromAnna, {}),
  },
  'call.inbound.answered': {
    type: 'call.inbound.answered',
    ...ofCall(8, at('20:15:04.120'), annaAnswered, { user: alice, ...inSales }),
  },
  'call.outbound.placed': {
    type: 'call.outbound.placed',
    ...ofCall(1, at('20:52:30.660'), toMobile, { user: bob }),
  },
  'call.outbound.answered': {
    type: 'call.outbound.answered',
    ...ofCall(3, at('20:52:38.905'), mobileAnswered, { user: bob }),
  },
  'call.internal.placed': {
    type: 'call.internal.placed',
    ...ofCall(1, at('20:58:03.110'), toCarol, { user: alice }),
  },
  'call.internal.answered': {
    type: 'call.internal.answered',
    ...ofCall(4, at('20:58:06.730'), answered(toCarol, at('20:58:06.730')), { user: carol }),
  },
  'call.missed': {
    type: 'call.missed',
    ...ofCall(5, at('20:41:05.530'), mobileMissed, { user: alice }),
    reached: 'voicemail',
  },
  'call.transferred': {
    type: 'call.transferred',
    ...ofCall(10, at('20:17:10.480'), annaAnswered, { user: alice, ...inSales }),
    transfer: { kind: 'blind', by: alice, to: '203', merged_uuid: null },
  },
  'call.ended': {
    type: 'call.ended',
    ...ofCall(17, at('20:19:30.060'), annaEnded, { user: alice, ...inSales }),
    legs: annaLegs,
  },
  'ivr.received': {
    type: 'ivr.received',
    ...ofCall(3, at('20:14:41.214'), fromAnna, {}),
    ivr: { name: 'main', option: null },
  },
  'ivr.option_selected': {
    type: 'ivr.option_selected',
    ...ofCall(4, at('20:14:46.830'), fromAnna, {}),
    ivr: { name: 'main', option: '3', valid: true },
  },
  'user.inbound.ringing': {
    type: 'user.inbound.ringing',
    ...ofCall(7, at('20:15:02.955'), fromAnna, inSales),
    user: alice,
  },
  'user.inbound.answered': {
    type: 'user.inbound.answered',
    ...ofCall(9, at('20:15:04.120'), annaAnswered, inSales),
    user: alice,
  },
  'user.inbound.completed': {
    type: 'user.inbound.completed',
    ...ofCall(11, at('20:17:10.482'), annaAnswered, inSales),
    user: alice,
    part: {
      started_at: at('20:15:02.955'),
      answered_at: at('20:15:04.120'),
      ended_at: at('20:17:10.482'),
      duration: 128,
      talk_duration: 126,
      outcome: 'completed',
    },
  },
  'user.outbound.placed': {
    type: 'user.outbound.placed',
    ...ofCall(2, at('20:52:30.660'), toMobile, {}),
    user: bob,
  },
  'user.outbound.answered': {
    type: 'user.outbound.answered',
    ...ofCall(4, at('20:52:38.905'), mobileAnswered, {}),
    user: bob,
  },
  'user.outbound.completed': {
    type: 'user.outbound.completed',
    ...ofCall(6, at('20:54:11.480'), mobileAnswered, {}),
    user: bob,
    part: {
      started_at: at('20:52:30.660'),
      answered_at: at('20:52:38.905'),
      ended_at: at('20:54:11.480'),
      duration: 101,
      talk_duration: 93,
      outcome: 'completed',
    },
  },
  'queue.call.summary': {
    type: 'queue.call.summary',
    ...ofCall(16, at('20:19:30.060'), annaEnded, { user: alice, ...inSales }),
    queue: {
      name: 'sales',
      outcome: 'completed',
      entered_at: at('20:14:46.835'),
      left_at: at('20:15:04.120'),
      wait_duration: 17,
      position: 1,
      answered_by: alice,
      agents_tried: [
        { extension_number: '202', name: 'Bob', attempts: 1, ring_duration: 15, outcome: 'missed' },
        {
          extension_number: '201',
          name: 'Alice',
          attempts: 1,
          ring_duration: 1,
          outcome: 'completed',
        },
      ],
    },
  },
  'ring_group.call.summary': {
    type: 'ring_group.call.summary',
    ...ofCall(9, at('20:32:40.300'), unknownEnded, { user: bob, ...inFrontDesk }),
    ring_group: {
      name: 'front-desk',
      outcome: 'completed',
      entered_at: at('20:31:07.402'),
      ring_duration: 5,
      answered_by: bob,
      members_tried: [
        {
          extension_number: '201',
          name: 'Alice',
          attempts: 1,
          ring_duration: 5,
          outcome: 'answered_elsewhere',
        },
        {
          extension_number: '202',
          name: 'Bob',
          attempts: 1,
          ring_duration: 5,
          outcome: 'completed',
        },
      ],
    },
  },
  'voicemail.left': {
    type: 'voicemail.left',
    ...ofCall(4, at('20:41:05.520'), fromMobile, { user: alice }),
    voicemail: {
      mailbox: '201',
      recorded_at: at('20:41:05.520'),
      duration: 21,
      file: 'msg0003.wav',
      audio_url: 'https://pbx.example.com/voicemail/201/msg0003.wav',
    },
  },
  'recording.inbound.completed': {
    type: 'recording.inbound.completed',
    ...ofCall(14, at('20:19:30.050'), annaAnswered, { user: alice, ...inSales }),
    recording: {
      recorded_at: at('20:15:04.120'),
      duration: 266,
      bytes: 4_256_044,
      file: 'in-pbx1-1795378481.2041.wav',
      url: 'https://pbx.example.com/recordings/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001',
    },
  },
  'recording.outbound.completed': {
    type: 'recording.outbound.completed',
    ...ofCall(5, at('20:54:11.470'), mobileAnswered, { user: bob }),
    recording: {
      recorded_at: at('20:52:30.662'),
      duration: 93,
      bytes: 1_488_044,
      file: 'out-pbx1-1795380750.2077.wav',
      url: 'https://pbx.example.com/recordings/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30004',
    },
  },
  webhook_component_event: {
    type: 'webhook_component_event',
    ...ofCall(2, at('20:14:41.210'), fromAnna, {}),
    component: { name: 'vip-caller', parameters: { tier: 'gold', language: 'en' } },
  },
  'service.link.down': {
    type: 'service.link.down',
    ...ofService('904', at('21:12:09.500')),
    link: { down_since: at('21:12:09.500'), reason: 'The PBX closed the connection.' },
  },
  'service.link.up': {
    type: 'service.link.up',
    ...ofService('905', at('21:13:31.018')),
    link: {
      down_since: at('21:12:09.500'),
      up_at: at('21:13:31.018'),
      backfilled_events: 12,
    },
  },
  'webhook.disabled': {
    type: 'webhook.disabled',
    ...ofService('906', at('21:40:55.730')),
    webhook: {
      id: 'wh_01KANV7B2N9S4XQ6',
      name: 'Billing feed',
      reason: 'gone',
      disabled_at: at('21:40:55.730'),
    },
  },
}
