import {
  type ExpectedCalls,
  inbound,
  notAnswered,
  rings,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const all = ['201', '202', '203'] as const
const reachesAll = ['call.inbound.received', ...rings(all, '600')] as const

/** Calls to a ring group. */
export const ringGroupCalls: ExpectedCalls = {
  '09-ringgroup-answered-by-202': [
    {
      ...inbound,
      to: '1004',
      events: [
        'call.inbound.received',
        rings(all, '600'),
        'call.inbound.answered 202 @600',
        'user.inbound.answered 202 @600',
        [
          'user.inbound.completed 201 @600 answered_elsewhere',
          'user.inbound.completed 203 @600 answered_elsewhere',
        ],
        'user.inbound.completed 202 @600 completed',
        'ring_group.call.summary 202 @600 completed 201x1 202x1 203x1',
        'call.ended 202 @600',
      ],
      ...talked('202', 'caller', {
        duration: 4.5,
        ring: 1.5,
        bill: 3,
        answers: [{ after: 1.5, talk: 3 }],
      }),
    },
  ],
  '09b-ringgroup-caller-hangs-up': [
    {
      ...inbound,
      to: '1004',
      events: [
        ...reachesAll,
        all.map((user) => `user.inbound.completed ${user} @600 missed`),
        'ring_group.call.summary @600 abandoned 201x1 202x1 203x1',
        'call.missed @600 ring_group',
        'call.ended @600',
      ],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5, ring: 2.5 }),
    },
  ],
  '09c-ringgroup-callee-hangs-up': [
    {
      ...inbound,
      to: '1004',
      events: [
        ...reachesAll,
        'call.inbound.answered 203 @600',
        'user.inbound.answered 203 @600',
        [
          'user.inbound.completed 201 @600 answered_elsewhere',
          'user.inbound.completed 202 @600 answered_elsewhere',
        ],
        'user.inbound.completed 203 @600 completed',
        'ring_group.call.summary 203 @600 completed 201x1 202x1 203x1',
        'call.ended 203 @600',
      ],
      ...talked('203', 'callee', {
        duration: 3,
        ring: 1,
        bill: 2,
        answers: [{ after: 1, talk: 2 }],
      }),
    },
  ],
  '10-ringgroup-noanswer': [
    {
      ...inbound,
      to: '1004',
      events: [
        'call.inbound.received',
        rings(all, '600'),
        all.map((user) => `user.inbound.completed ${user} @600 missed`),
        'ring_group.call.summary @600 no_answer 201x1 202x1 203x1',
        'call.missed @600 ring_group',
        'call.ended @600',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 8, ring: 8 }),
    },
  ],
  '38-internal-to-ringgroup-and-queue': [
    {
      direction: 'internal',
      from: '203',
      to: '600',
      events: [
        'call.internal.placed 203',
        'user.outbound.placed 203',
        rings(all, '600'),
        'call.internal.answered 201 @600',
        'user.outbound.answered 203 @600',
        'user.inbound.answered 201 @600',
        [
          'user.inbound.completed 202 @600 answered_elsewhere',
          'user.inbound.completed 203 @600 answered_elsewhere',
        ],
        ['user.inbound.completed 201 @600 completed', 'user.outbound.completed 203 @600 completed'],
        'ring_group.call.summary 201 @600 completed 201x1 202x1 203x1',
        'call.ended 201 @600',
      ],
      ...talked('201', 'caller', {
        duration: 3,
        ring: 1,
        bill: 2,
        answers: [{ after: 1, talk: 2 }],
      }),
    },
  ],
  '43-ringgroup-busy-declined-answered': [
    {
      ...inbound,
      to: '1004',
      events: [
        ...reachesAll,
        ['user.inbound.completed 201 @600 busy', 'user.inbound.completed 202 @600 rejected'],
        'call.inbound.answered 203 @600',
        'user.inbound.answered 203 @600',
        'user.inbound.completed 203 @600 completed',
        'ring_group.call.summary 203 @600 completed 201x1 202x1 203x1',
        'call.ended 203 @600',
      ],
      ...talked('203', 'caller', {
        duration: 4.5,
        ring: 1.5,
        bill: 3,
        answers: [{ after: 1.5, talk: 3 }],
      }),
    },
  ],
  '43b-ringgroup-all-busy': [
    {
      ...inbound,
      to: '1004',
      events: [
        ...reachesAll,
        all.map((user) => `user.inbound.completed ${user} @600 busy`),
        'ring_group.call.summary @600 no_answer 201x1 202x1 203x1',
        'call.missed @600 ring_group',
        'call.ended @600',
      ],
      ...notAnswered('busy', ['callee', 'Busy'], { duration: 0, ring: 0 }),
    },
  ],
}
