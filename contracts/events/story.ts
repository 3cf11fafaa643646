/**
 * Who and what the samples speak of. They tell one story, a morning at an Australian head office:
 *
 *   20:14  Anna calls the main line, chooses 3 at the IVR, waits in the queue `sales` (Bob does not answer), talks
 *          with Alice, who transfers her to Carol. The call is recorded.
 *   20:31  Somebody withholds the number and calls the ring group `front-desk`; Bob answers.
 *   20:40  A mobile calls Alice directly, who does not answer, and leaves a message.
 *   20:52  Bob calls that mobile back, recorded.
 *   20:58  Alice calls Carol.
 */
import type { EventOf } from '#contracts/events/catalogue.ts'
import type { Call, CallRecord, Leg, UserRef } from '#contracts/events/facts.ts'

type CallParts = Pick<EventOf<'call.inbound.received'>, 'user' | 'queue' | 'ring_group' | 'ivr'>

const account = { id: 'acc_01KANHARB0URDENTA1', name: 'Harbour Dental' }
export const service = {
  uuid: '3e0f1d52-6a55-4b1c-9d6e-0f1a7c2b9e10',
  name: 'pbx1',
  friendly_name: 'Head office',
  type: 'hosted_pbx' as const,
}

export const alice: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2010',
  extension_number: '201',
  name: 'Alice',
  outbound_phone_number: '+61290001201',
  has_voicemail: true,
  enabled_calls: ['Local', 'National', 'Mobile'],
}
export const bob: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2020',
  extension_number: '202',
  name: 'Bob',
  outbound_phone_number: '+61290001202',
  has_voicemail: true,
  enabled_calls: ['Local', 'National', 'Mobile', 'International'],
}
export const carol: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2030',
  extension_number: '203',
  name: 'Carol',
  outbound_phone_number: '+61290001203',
  has_voicemail: false,
  enabled_calls: ['Local', 'National'],
}
export const dave: UserRef = {
  uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2040',
  extension_number: '204',
  name: 'Dave',
  outbound_phone_number: null,
  has_voicemail: true,
  enabled_calls: ['Local'],
}

/** A time of the story's morning: `at('20:15:04.120')`. */
export const at = (time: string): string => `2026-11-22T${time}Z`

const nowhere: CallParts = { user: null, queue: null, ring_group: null, ivr: null }
export const inSales = { queue: { name: 'sales' }, ivr: { name: 'main', option: '3' } }
export const inFrontDesk = { ring_group: { name: 'front-desk' } }

/** What the five calls are, before anybody answered. */
export const fromAnna: Call = {
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
export const fromMobile: Call = {
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
export const toMobile: Call = {
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
export const toCarol: Call = {
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

export const answered = (call: Call, time: string): Call => ({
  ...call,
  answered_at: time,
  talker: true,
})
export const annaAnswered = answered(fromAnna, at('20:15:04.120'))
export const mobileAnswered = answered(toMobile, at('20:52:38.905'))

const normalClearing = { q850: 16, text: 'Normal call clearing', sip_code: null }

export const annaEnded: CallRecord = {
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
export const unknownEnded: CallRecord = {
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
export const mobileMissed: CallRecord = {
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

export const annaLegs: Leg[] = [
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
export function ofCall<C extends Call>(
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

export function ofService(number: string, occurredAt: string) {
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
