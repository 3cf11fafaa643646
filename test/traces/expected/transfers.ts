import {
  type ExpectedBeginning,
  type ExpectedCall,
  type ExpectedCalls,
  inbound,
  internalAnswered,
  outboundAnswered,
  rings,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const answeredBy201 = [
  'call.inbound.received',
  'user.inbound.ringing 201',
  'call.inbound.answered 201',
  'user.inbound.answered 201',
] as const
const blindTo = (target: string) =>
  [`call.transferred 201 blind ${target}`, 'user.inbound.completed 201 completed'] as const
const consults202 = ['user.inbound.ringing 202', 'user.inbound.answered 202'] as const
const talksOnWith202 = [...consults202, 'user.inbound.completed 202 completed'] as const

function inboundTo1007(
  events: ExpectedCall['events'],
  record: ReturnType<typeof talked>,
): ExpectedCall {
  return { ...inbound, to: '1007', events, ...record }
}

/** The second call that 201's phone makes; what follows the merge is told by the first one. */
export const consultation: ExpectedBeginning = {
  direction: 'internal',
  from: '201',
  to: '202',
  events: internalAnswered('201', '202'),
}

/** What happens to the call from outside that 201 answers and joins to the consultation. */
export const joinedBy201: ExpectedCall['events'] = [
  ...answeredBy201,
  'call.transferred 201 attended 202',
  ['user.inbound.completed 201 completed', 'user.outbound.completed 201 completed'],
  'user.inbound.completed 202 completed',
  'call.ended 201',
]

export const blindTransfers: ExpectedCalls = {
  '16-blind-transfer-201-to-202': [
    inboundTo1007(
      [...answeredBy201, ...blindTo('202'), ...talksOnWith202, 'call.ended 201'],
      talked('201', 'caller', { duration: 9, ring: 1, bill: 8 }),
    ),
  ],
  '16b-blind-transfer-to-outside': [
    inboundTo1007(
      [...answeredBy201, ...blindTo('01609999'), 'call.ended 201'],
      talked('201', 'caller', { duration: 8, ring: 1, bill: 7 }),
    ),
  ],
  '16c-blind-transfer-to-ringgroup': [
    inboundTo1007(
      [
        ...answeredBy201,
        ...blindTo('600'),
        ...rings(['201', '202', '203'], '600'),
        'user.inbound.answered 202 @600',
        [
          'user.inbound.completed 201 @600 answered_elsewhere',
          'user.inbound.completed 203 @600 answered_elsewhere',
        ],
        'user.inbound.completed 202 @600 completed',
        'ring_group.call.summary 202 @600 completed 201x1 202x1 203x1',
        'call.ended 201 @600',
      ],
      talked('201', 'caller', {
        duration: 9,
        ring: 1,
        bill: 8,
        answers: [{ after: 4.5, talk: 4.5 }],
      }),
    ),
  ],
  '16d-blind-transfer-to-queue': [
    inboundTo1007(
      [
        ...answeredBy201,
        ...blindTo('700'),
        ...ringsInVain('201', 'missed', 'sales'),
        'user.inbound.ringing 202 @sales',
        'user.inbound.answered 202 @sales',
        'user.inbound.completed 202 @sales completed',
        'queue.call.summary 202 @sales completed 201x1 202x1',
        'call.ended 201 @sales',
      ],
      talked('201', 'caller', {
        duration: 14,
        ring: 1,
        wait: 6,
        bill: 13,
        answers: [{ after: 9, talk: 5 }],
      }),
    ),
  ],
  '16e-blind-transfer-not-answered': [
    inboundTo1007(
      [...answeredBy201, ...blindTo('202'), ...ringsInVain('202', 'missed'), 'call.ended 201'],
      talked('201', 'system', { duration: 11, ring: 1, bill: 10 }),
    ),
  ],
  '16f-blind-transfer-dtmf': [
    inboundTo1007(
      [...answeredBy201, ...blindTo('202'), ...talksOnWith202, 'call.ended 201'],
      talked('201', 'caller', { duration: 12, ring: 1, bill: 11 }),
    ),
  ],
  '16g-outbound-then-blind-transfer-to-202': [
    {
      direction: 'outbound',
      from: '201',
      to: '0061288881234',
      events: [
        ...outboundAnswered('201'),
        'call.transferred 201 blind 202',
        'user.outbound.completed 201 completed',
        ...talksOnWith202,
        'call.ended 201',
      ],
      // The outside party was called, and hung up.
      ...talked(null, 'callee', { duration: 8, ring: 1, bill: 7 }),
    },
  ],
  '16h-internal-then-blind-transfer': [
    {
      direction: 'internal',
      from: '203',
      to: '201',
      events: [
        ...internalAnswered('203', '201'),
        ...blindTo('202'),
        ...consults202,
        ['user.outbound.completed 203 completed', 'user.inbound.completed 202 completed'],
        'call.ended 201',
      ],
      ...talked('201', 'caller', { duration: 8, ring: 1, bill: 7 }),
    },
  ],
}

export const attendedTransfers: ExpectedCalls = {
  '17-attended-transfer-dtmf': [
    inboundTo1007(
      [
        ...answeredBy201,
        ...consults202,
        'call.transferred 201 attended 202',
        'user.inbound.completed 201 completed',
        'user.inbound.completed 202 completed',
        'call.ended 201',
      ],
      talked('201', 'caller', { duration: 15, ring: 1, bill: 14 }),
    ),
  ],
  '17b-attended-transfer-dtmf-rtp': [
    inboundTo1007(
      [
        ...answeredBy201,
        ...consults202,
        'call.transferred 201 attended 202',
        'user.inbound.completed 201 completed',
        'user.inbound.completed 202 completed',
        'call.ended 201',
      ],
      talked('201', 'caller', { duration: 15, ring: 1, bill: 14 }),
    ),
  ],
  '17c-attended-transfer-refer': [
    {
      ...inboundTo1007(joinedBy201, talked('201', 'caller', { duration: 11, ring: 1, bill: 10 })),
      merged: 1,
    },
    consultation,
  ],
  '17d-attended-transfer-target-not-answering': [
    inboundTo1007(
      [
        ...answeredBy201,
        ...ringsInVain('202', 'missed'),
        'user.inbound.completed 201 completed',
        'call.ended 201',
      ],
      talked('201', 'callee', { duration: 18.8, ring: 1, bill: 17.8 }),
    ),
  ],
  '17e-attended-transfer-blonde': [
    inboundTo1007(
      [
        ...answeredBy201,
        'user.inbound.ringing 202',
        'call.transferred 201 attended 202',
        // The PBX keeps 201's channel until 202 answers.
        ['user.inbound.answered 202', 'user.inbound.completed 201 completed'],
        'user.inbound.completed 202 completed',
        'call.ended 201',
      ],
      talked('201', 'caller', { duration: 15, ring: 1, bill: 14 }),
    ),
  ],
  '17f-attended-transfer-target-hangs-up': [
    inboundTo1007(
      [
        ...answeredBy201,
        ...talksOnWith202,
        'user.inbound.completed 201 completed',
        'call.ended 201',
      ],
      talked('201', 'callee', { duration: 12.8, ring: 1, bill: 11.8 }),
    ),
  ],
  '17g-attended-transfer-of-internal-call': [
    {
      direction: 'internal',
      from: '203',
      to: '201',
      events: [
        ...internalAnswered('203', '201'),
        'call.transferred 201 attended 202',
        ['user.inbound.completed 201 completed', 'user.outbound.completed 201 completed'],
        ['user.outbound.completed 203 completed', 'user.inbound.completed 202 completed'],
        'call.ended 201',
      ],
      ...talked('201', 'caller', { duration: 11, ring: 1, bill: 10 }),
      merged: 1,
    },
    consultation,
  ],
}
