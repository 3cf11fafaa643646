import {
  type ExpectedCalls,
  internalRinging,
  notAnswered,
  plainInternal,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const from201to202 = { direction: 'internal', from: '201', to: '202' } as const

/** Calls from extension to extension. */
export const internalCalls: ExpectedCalls = {
  '15-internal-201-to-202': [
    {
      ...from201to202,
      events: plainInternal('201', '202'),
      ...talked('202', 'caller', { duration: 4, ring: 1, bill: 3 }),
    },
  ],
  '15b-internal-callee-hangs-up': [
    {
      ...from201to202,
      events: plainInternal('201', '202'),
      ...talked('202', 'callee', { duration: 3, ring: 1, bill: 2 }),
    },
  ],
  '15c-internal-cancelled': [
    {
      ...from201to202,
      events: [
        ...internalRinging('201', '202'),
        ['user.inbound.completed 202 missed', 'user.outbound.completed 201 missed'],
        'call.ended 201',
      ],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5, ring: 2.5 }),
    },
  ],
  // The PBX refuses the unknown extension before a channel exists: its record is empty.
  '21k-internal-unknown-extension': [],
}
