import {
  type ExpectedCalls,
  inbound,
  internalRinging,
  notAnswered,
  ringsInVain,
} from '#test/traces/expected/building-blocks.ts'

/** Calls that ended in a mailbox, or at its greeting. */
export const voicemailCalls: ExpectedCalls = {
  '03-inbound-noanswer-voicemail': [
    {
      ...inbound,
      to: '1001',
      events: [
        'call.inbound.received',
        ...ringsInVain('201', 'missed'),
        'voicemail.left 201',
        'call.missed 201 voicemail',
        'call.ended',
      ],
      ...notAnswered('voicemail', ['caller', 'No Answer'], { duration: 21, ring: 8 }),
    },
  ],
  '15d-internal-declined': [
    {
      direction: 'internal',
      from: '201',
      to: '202',
      events: [
        ...internalRinging('201', '202'),
        'user.inbound.completed 202 rejected',
        'user.outbound.completed 201 rejected',
        'call.ended 201',
      ],
      // No message: the record says what the caller met, and a declined call is a busy one.
      ...notAnswered('busy', ['caller', 'Busy'], { duration: 2, ring: 0 }),
    },
  ],
  '35-busy-voicemail-left': [
    {
      ...inbound,
      to: '1001',
      events: [
        'call.inbound.received',
        ...ringsInVain('201', 'busy'),
        'voicemail.left 201',
        'call.missed 201 voicemail',
        'call.ended',
      ],
      ...notAnswered('voicemail', ['caller', 'Busy'], { duration: 10, ring: 0 }),
    },
  ],
  '35b-voicemail-hangup-in-greeting': [
    {
      ...inbound,
      to: '1001',
      events: [
        'call.inbound.received',
        ...ringsInVain('201', 'missed'),
        'call.missed 201 voicemail',
        'call.ended',
      ],
      ...notAnswered('missed', ['caller', 'No Answer'], { duration: 9, ring: 8 }),
    },
  ],
  '35c-not-registered-to-voicemail': [
    {
      direction: 'internal',
      from: '203',
      to: '204',
      events: [
        'call.internal.placed 203',
        'user.outbound.placed 203',
        'user.outbound.completed 203 failed',
        'call.ended 203',
      ],
      ...notAnswered('failed', ['system', 'Failed'], { duration: 0.5, ring: 0 }),
    },
  ],
  '39-internal-no-answer-voicemail': [
    {
      direction: 'internal',
      from: '203',
      to: '201',
      events: [
        ...internalRinging('203', '201'),
        'user.inbound.completed 201 missed',
        'voicemail.left 201',
        'user.outbound.completed 203 missed',
        'call.ended 203',
      ],
      ...notAnswered('voicemail', ['caller', 'No Answer'], { duration: 18, ring: 8 }),
    },
  ],
  '42-user-calls-itself': [
    {
      direction: 'internal',
      from: '201',
      to: '201',
      events: [
        ...internalRinging('201', '201'),
        'user.inbound.completed 201 missed',
        'user.outbound.completed 201 missed',
        'call.ended 201',
      ],
      ...notAnswered('missed', ['caller', 'No Answer'], { duration: 9, ring: 8 }),
    },
  ],
}
