import {
  type ExpectedCalls,
  notAnswered,
  outboundAnswered,
  outboundNotAnswered,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const from201 = { direction: 'outbound', from: '201' } as const

/** Calls that users made to outside. */
export const outboundCalls: ExpectedCalls = {
  '11-outbound-answered-recorded': [
    {
      ...from201,
      to: '0301111111',
      events: [
        ...outboundAnswered('201'),
        'recording.outbound.completed 201',
        'user.outbound.completed 201 completed',
        'call.ended 201',
      ],
      ...talked(null, 'caller', { duration: 5, ring: 1, bill: 4 }),
    },
  ],
  '11b-outbound-not-recorded': [
    {
      ...from201,
      to: '0061288881234',
      events: [
        ...outboundAnswered('201'),
        'user.outbound.completed 201 completed',
        'call.ended 201',
      ],
      ...talked(null, 'caller', { duration: 4, ring: 1, bill: 3 }),
    },
  ],
  '11c-outbound-callee-hangs-up': [
    {
      ...from201,
      to: '0061288881234',
      events: [
        ...outboundAnswered('201'),
        'user.outbound.completed 201 completed',
        'call.ended 201',
      ],
      ...talked(null, 'callee', { duration: 3, ring: 1, bill: 2 }),
    },
  ],
  '11d-outbound-recorded-callee-hangs-up': [
    {
      direction: 'outbound',
      from: '202',
      to: '0301111111',
      events: [
        ...outboundAnswered('202'),
        'recording.outbound.completed 202',
        'user.outbound.completed 202 completed',
        'call.ended 202',
      ],
      ...talked(null, 'callee', { duration: 3, ring: 1, bill: 2 }),
    },
  ],
  '12-outbound-busy': [
    outboundNotAnswered(
      '0302222222',
      'busy',
      notAnswered('busy', ['callee', 'Busy'], { duration: 0 }),
    ),
  ],
  // Its recording holds nothing but the header: not told.
  '12b-outbound-no-answer': [
    outboundNotAnswered(
      '0301111111',
      'missed',
      notAnswered('missed', ['system', 'No Answer'], { duration: 20, ring: 20 }),
    ),
  ],
  '13-outbound-cancelled': [
    outboundNotAnswered(
      '0303333333',
      'missed',
      notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5 }),
    ),
  ],
  '13b-outbound-cancelled-at-once': [
    outboundNotAnswered(
      '0061288881234',
      'missed',
      notAnswered('canceled', ['caller', 'Canceled'], { duration: 0, ring: 0 }),
    ),
  ],
  '21a-outbound-carrier-503': [
    outboundNotAnswered(
      '0304444444',
      'failed',
      notAnswered('failed', ['callee', 'Failed'], { duration: 0 }),
    ),
  ],
  '21b-outbound-404': [
    outboundNotAnswered(
      '0305555555',
      'failed',
      notAnswered('failed', ['callee', 'Failed'], { duration: 0 }),
    ),
  ],
  '21d-outbound-dead-trunk': [
    outboundNotAnswered(
      '9123',
      'failed',
      notAnswered('failed', ['system', 'Failed'], { duration: 16 }),
    ),
  ],
  // Never placed: no line to the carrier was taken.
  '21l-outbound-congestion-in-dialplan': [
    {
      ...from201,
      to: '888',
      events: ['call.ended 201'],
      ...notAnswered('failed', ['system', 'Failed'], { duration: 0, ring: 0 }),
    },
  ],
}
