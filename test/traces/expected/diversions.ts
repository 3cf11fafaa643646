import {
  type ExpectedCalls,
  inbound,
  notAnswered,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const outside = { divertedTo: '01609999' } as const
const nobodyHereTalked = { talker: false } as const

/**
 * Calls that user 203 diverts to outside: by the dialplan (no phone rings), or by the phone itself, whose 302 refuses
 * the call here.
 */
export const diversions: ExpectedCalls = {
  '19-diverted-externally-dialplan': [
    {
      ...inbound,
      to: '1006',
      events: ['call.inbound.received', 'call.ended'],
      ...talked(null, 'caller', { duration: 4, ring: 1, bill: 3 }),
      ...nobodyHereTalked,
      ...outside,
    },
  ],
  '19b-diverted-by-phone-302': [
    {
      ...inbound,
      to: '1011',
      events: ['call.inbound.received', ...ringsInVain('203', 'rejected'), 'call.ended'],
      ...talked(null, 'caller', { duration: 4, ring: 1, bill: 3 }),
      ...nobodyHereTalked,
      ...outside,
    },
  ],
  '19c-diverted-externally-not-answered': [
    {
      ...inbound,
      to: '1006',
      events: ['call.inbound.received', 'call.missed 203 user', 'call.ended'],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 4, ring: 4 }),
      ...outside,
    },
  ],
  '19d-diverted-externally-busy': [
    {
      ...inbound,
      to: '1006',
      events: ['call.inbound.received', 'call.missed 203 user', 'call.ended'],
      ...notAnswered('busy', ['callee', 'Busy'], { duration: 0, ring: 0 }),
      ...outside,
    },
  ],
  '19e-diverted-by-phone-302-not-answered': [
    {
      ...inbound,
      to: '1011',
      events: [
        'call.inbound.received',
        ...ringsInVain('203', 'rejected'),
        'call.missed 203 user',
        'call.ended',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 8, ring: 8 }),
      ...outside,
    },
  ],
  '19f-diverted-externally-callee-hangs-up': [
    {
      ...inbound,
      to: '1006',
      events: ['call.inbound.received', 'call.ended'],
      ...talked(null, 'callee', { duration: 3, ring: 1, bill: 2 }),
      ...nobodyHereTalked,
      ...outside,
    },
  ],
}
