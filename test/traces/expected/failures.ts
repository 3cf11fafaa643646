import {
  type ExpectedCalls,
  inbound,
  inboundMissedByUser,
  notAnswered,
} from '#test/traces/expected/building-blocks.ts'

/** Calls from outside that phones or the PBX refused. */
export const failures: ExpectedCalls = {
  '21c-inbound-user-not-registered': [
    {
      ...inbound,
      to: '1008',
      // No phone rang, but it was to 204 that the call came.
      events: ['call.inbound.received', 'call.missed 204 user', 'call.ended'],
      ...notAnswered('failed', ['system', 'Failed'], { duration: 0, ring: 0 }),
    },
  ],
  '21e-inbound-user-busy': [
    inboundMissedByUser(
      '1007',
      '201',
      'busy',
      notAnswered('busy', ['callee', 'Busy'], { duration: 0, ring: 0 }),
    ),
  ],
  '21f-inbound-declined-603': [
    inboundMissedByUser(
      '1007',
      '201',
      'rejected',
      notAnswered('busy', ['callee', 'Busy'], { duration: 0, ring: 0 }),
    ),
  ],
  '21g-inbound-480': [
    inboundMissedByUser(
      '1007',
      '201',
      'missed',
      notAnswered('missed', ['callee', 'No Answer'], { duration: 0, ring: 0 }),
    ),
  ],
  '21h-inbound-user-404': [
    inboundMissedByUser(
      '1007',
      '201',
      'failed',
      notAnswered('failed', ['callee', 'Failed'], { duration: 0, ring: 0 }),
    ),
  ],
  // Nothing listens there, which the PBX does not notice within the ring time: to it, the phone rang.
  '21i-inbound-phone-gone': [
    inboundMissedByUser(
      '1007',
      '201',
      'missed',
      notAnswered('missed', ['system', 'No Answer'], { duration: 8, ring: 8 }),
    ),
  ],
  '21j-unknown-did': [
    {
      ...inbound,
      to: '1999',
      events: ['call.inbound.received', 'call.missed', 'call.ended'],
      ...notAnswered('failed', ['system', 'Failed'], { duration: 0, ring: 0 }),
    },
  ],
}
