import {
  type ExpectedCalls,
  inbound,
  internalRinging,
  rings,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const pickedUpFrom201By202 = [
  'call.inbound.received',
  'user.inbound.ringing 201',
  [
    'call.inbound.answered 202 pickup',
    'user.inbound.answered 202 pickup',
    'user.inbound.completed 201 answered_elsewhere',
  ],
  'user.inbound.completed 202 completed',
  'call.ended 202',
] as const

/** Calls taken with the pick-up code, and one that was not there to be taken. */
export const pickups: ExpectedCalls = {
  '14-pickup-201-by-202': [
    {
      ...inbound,
      to: '1007',
      events: pickedUpFrom201By202,
      ...talked('202', 'caller', { duration: 5.5, ring: 2.5, bill: 3 }),
      via: 'pickup',
    },
  ],
  '14b-pickup-of-ringgroup-call-by-203': [
    {
      ...inbound,
      to: '1004',
      events: [
        'call.inbound.received',
        ...rings(['201', '202', '203'], '600'),
        [
          'call.inbound.answered 203 @600 pickup',
          'user.inbound.answered 203 @600 pickup',
          'user.inbound.completed 201 @600 answered_elsewhere',
          'user.inbound.completed 202 @600 answered_elsewhere',
          // The phone of 203 that rang; its other line took the call.
          'user.inbound.completed 203 @600 answered_elsewhere',
        ],
        'user.inbound.completed 203 @600 completed',
        'ring_group.call.summary 203 @600 completed 201x1 202x1 203x1',
        'call.ended 203 @600',
      ],
      ...talked('203', 'caller', {
        duration: 5.5,
        ring: 2.5,
        bill: 3,
        answers: [{ after: 2.5, talk: 3 }],
      }),
      via: 'pickup',
    },
  ],
  '14c-pickup-picker-hangs-up': [
    {
      ...inbound,
      to: '1007',
      events: pickedUpFrom201By202,
      ...talked('202', 'callee', { duration: 4, ring: 2.5, bill: 1.5 }),
      via: 'pickup',
    },
  ],
  '14d-pickup-of-internal-call': [
    {
      direction: 'internal',
      from: '203',
      to: '201',
      events: [
        ...internalRinging('203', '201'),
        [
          'user.outbound.answered 203',
          'user.inbound.answered 202 pickup',
          'user.inbound.completed 201 answered_elsewhere',
        ],
        ['user.outbound.completed 203 completed', 'user.inbound.completed 202 completed'],
        'call.ended 202',
      ],
      ...talked('202', 'caller', { duration: 5.5, ring: 2.5, bill: 3 }),
      via: 'pickup',
    },
  ],
  '29-pickup-failed': [],
  '37-pickup-of-queue-call': [
    {
      ...inbound,
      to: '1003',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201 @sales',
        [
          'call.inbound.answered 203 @sales pickup',
          'user.inbound.answered 203 @sales pickup',
          'user.inbound.completed 201 @sales answered_elsewhere',
        ],
        'user.inbound.completed 203 @sales completed',
        // queue_log names 201; 203 talked.
        'queue.call.summary 203 @sales completed 201x1',
        'call.ended 203 @sales',
      ],
      ...talked('203', 'caller', {
        duration: 5.5,
        ring: 2,
        wait: 2.5,
        bill: 3,
        answers: [{ after: 2.5, talk: 3 }],
      }),
      via: 'pickup',
    },
  ],
}
