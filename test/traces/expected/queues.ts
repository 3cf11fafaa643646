import {
  answersInbound,
  type ExpectedCalls,
  inbound,
  notAnswered,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const received = 'call.inbound.received'

/** Both agents are offered the call and answer busy, one after the other. */
const bothBusy = [...ringsInVain('201', 'busy', 'sales'), ...ringsInVain('202', 'busy', 'sales')]
/** The same, 202 being offered the call a few ms before the end of 201's leg is on record. */
const bothBusyAtOnce = [
  'user.inbound.ringing 201 @sales',
  'user.inbound.ringing 202 @sales',
  'user.inbound.completed 201 @sales busy',
  'user.inbound.completed 202 @sales busy',
]
const times = (count: number, events: readonly string[]) => Array(count).fill(events).flat()

/** Calls to a queue. */
export const queueCalls: ExpectedCalls = {
  '06-queue-rna-201-then-202-answers': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...ringsInVain('201', 'missed', 'sales'),
        ...answersInbound('202', 'sales'),
        'queue.call.summary 202 @sales completed 201x1 202x1',
        'call.ended 202 @sales',
      ],
      ...talked('202', 'caller', {
        duration: 9.5,
        ring: 5,
        wait: 6.5,
        bill: 3,
        answers: [{ after: 6.5, talk: 3 }],
      }),
    },
  ],
  '07-queue-abandoned': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...ringsInVain('201', 'missed', 'sales'),
        'queue.call.summary @sales abandoned 201x1',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5, ring: 2, wait: 2.5 }),
    },
  ],
  '08-queue-timeout': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...ringsInVain('201', 'missed', 'sales'),
        ...ringsInVain('202', 'missed', 'sales'),
        ...ringsInVain('201', 'missed', 'sales'),
        'queue.call.summary @sales timed_out 201x2 202x1',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 15, ring: 12, wait: 14.5 }),
    },
  ],
  '28-queue-agent-hangs-up': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...answersInbound('201', 'sales'),
        'queue.call.summary 201 @sales completed 201x1',
        'call.ended 201 @sales',
      ],
      ...talked('201', 'callee', {
        duration: 3.5,
        ring: 1,
        wait: 1.5,
        bill: 2,
        answers: [{ after: 1.5, talk: 2 }],
      }),
    },
  ],
  '28b-two-queues-in-a-row': [
    {
      ...inbound,
      to: '1013',
      events: [
        received,
        ...ringsInVain('201', 'missed', 'sales'),
        ...answersInbound('203', 'support'),
        'queue.call.summary @sales timed_out 201x1',
        'queue.call.summary 203 @support completed 203x1',
        'call.ended 203 @support',
      ],
      ...talked('203', 'caller', {
        duration: 10,
        ring: 5,
        wait: 6.5,
        bill: 3.5,
        answers: [{ after: 6.5, talk: 3.5 }],
      }),
    },
  ],
  '28c-ivr-queue-answered': [
    {
      ...inbound,
      to: '1002',
      events: [
        received,
        'ivr.received main',
        'ivr.option_selected main 3',
        ...answersInbound('201', 'sales'),
        'queue.call.summary 201 @sales completed 201x1',
        'call.ended 201 @sales',
      ],
      ...talked('201', 'caller', {
        duration: 5.5,
        ring: 1,
        wait: 1,
        bill: 3,
        answers: [{ after: 2.5, talk: 3 }],
      }),
    },
  ],
  '28d-queue-agent-declines': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...ringsInVain('201', 'rejected', 'sales'),
        ...answersInbound('202', 'sales'),
        'queue.call.summary 202 @sales completed 201x1 202x1',
        'call.ended 202 @sales',
      ],
      ...talked('202', 'caller', {
        duration: 6,
        ring: 1,
        wait: 1.5,
        bill: 4.5,
        answers: [{ after: 1.5, talk: 4.5 }],
      }),
    },
  ],
  // What the caller met is a queue that gave up in the end, not a busy line.
  '28e-queue-agent-busy-then-timeout': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...times(4, bothBusy),
        ...bothBusyAtOnce,
        ...times(9, bothBusy),
        'queue.call.summary @sales timed_out 201x14 202x14',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 15.6, ring: 0, wait: 14.8 }),
    },
  ],
  '28f-queue-two-callers': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...answersInbound('201', 'sales'),
        'queue.call.summary 201 @sales completed 201x1',
        'call.ended 201 @sales',
      ],
      ...talked('201', 'caller', {
        duration: 5,
        ring: 1,
        wait: 1.5,
        bill: 3.5,
        answers: [{ after: 1.5, talk: 3.5 }],
      }),
    },
    {
      direction: 'inbound',
      from: '0307654321',
      to: '1003',
      events: [
        received,
        ...answersInbound('202', 'sales'),
        'queue.call.summary 202 @sales completed 202x1',
        'call.ended 202 @sales',
      ],
      ...talked('202', 'caller', {
        duration: 5,
        ring: 1,
        wait: 1.5,
        bill: 3.5,
        answers: [{ after: 1.5, talk: 3.5 }],
      }),
    },
  ],
  '28g-queue-timeout-then-voicemail': [
    {
      ...inbound,
      to: '1014',
      events: [
        received,
        ...ringsInVain('201', 'missed', 'sales'),
        'voicemail.left 201 @sales',
        'queue.call.summary @sales timed_out 201x1',
        'call.missed 201 @sales voicemail',
        'call.ended @sales',
      ],
      ...notAnswered('voicemail', ['caller', 'No Answer'], { duration: 16, ring: 4, wait: 5 }),
    },
  ],
  '28h-queue-caller-hangs-up-between-rings': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        ...bothBusy,
        ...bothBusyAtOnce,
        ...bothBusy,
        'queue.call.summary @sales abandoned 201x3 202x3',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 3, ring: 0, wait: 3 }),
    },
  ],
  '28i-queue-blind-transfer-by-agent': [
    {
      ...inbound,
      to: '1003',
      events: [
        received,
        'user.inbound.ringing 201 @sales',
        'call.inbound.answered 201 @sales',
        'user.inbound.answered 201 @sales',
        'call.transferred 201 @sales blind 202',
        'user.inbound.completed 201 @sales completed',
        // The agent chose 202, not the queue.
        'user.inbound.ringing 202',
        'user.inbound.answered 202',
        'user.inbound.completed 202 completed',
        'queue.call.summary 201 @sales completed 201x1',
        'call.ended 201 @sales',
      ],
      ...talked('201', 'caller', {
        duration: 9,
        ring: 1,
        wait: 1.5,
        bill: 7.5,
        answers: [{ after: 1.5, talk: 2 }],
      }),
    },
  ],
  '41-internal-to-queue': [
    {
      direction: 'internal',
      from: '203',
      to: '700',
      events: [
        'call.internal.placed 203',
        'user.outbound.placed 203',
        ...ringsInVain('201', 'missed', 'sales'),
        'user.inbound.ringing 202 @sales',
        'call.internal.answered 202 @sales',
        'user.outbound.answered 203 @sales',
        'user.inbound.answered 202 @sales',
        [
          'user.outbound.completed 203 @sales completed',
          'user.inbound.completed 202 @sales completed',
        ],
        'queue.call.summary 202 @sales completed 201x1 202x1',
        'call.ended 202 @sales',
      ],
      ...talked('202', 'caller', {
        duration: 9,
        ring: 5,
        wait: 6.5,
        bill: 2.5,
        answers: [{ after: 6.5, talk: 2.5 }],
      }),
    },
  ],
}
