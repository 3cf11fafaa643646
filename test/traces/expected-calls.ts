/**
 * What each recorded call must give, written by hand from the traces' READMEs and `events.md`, never from the
 * program's output. One line per event: `type user @queue-or-ring-group detail`; events of one moment whose order
 * means nothing stand together in a list. Durations are seconds, ± 1.
 */
import type {
  CallStatus,
  Direction,
  HangupCause,
  HangupInitiator,
} from '#contracts/events/facts.ts'

export interface ExpectedCall {
  readonly direction: Direction
  readonly from: string
  readonly to: string
  readonly events: readonly (string | readonly string[])[]
  readonly status: CallStatus
  readonly hangup: readonly [HangupInitiator, HangupCause]
  readonly talker: boolean
  readonly bridged: boolean
  readonly duration: number
  readonly bill: number
  readonly ring?: number
  readonly wait?: number
  readonly answeredBy: string | null
  readonly via?: 'pickup'
  readonly divertedTo?: string
  readonly incomplete?: true
  readonly merged?: number
}

const anna = '0301234567'
const answered = { status: 'answered', talker: true, bridged: true } as const
const unanswered = { talker: false, bridged: false, bill: 0, answeredBy: null } as const

/** Somebody outside calls, user's phone rings, she answers, the call ends. */
function plainInbound(user: string): readonly string[] {
  return [
    'call.inbound.received',
    `user.inbound.ringing ${user}`,
    `call.inbound.answered ${user}`,
    `user.inbound.answered ${user}`,
    `user.inbound.completed ${user} completed`,
    `call.ended ${user}`,
  ]
}

function rings(users: readonly string[], where: string): readonly string[] {
  return users.map((user) => `user.inbound.ringing ${user} @${where}`)
}

const inbound = { direction: 'inbound', from: anna } as const

export const expectedCalls: Readonly<Record<string, readonly ExpectedCall[]>> = {
  '01-inbound-answered-caller-hangup': [
    {
      ...inbound,
      to: '1001',
      events: plainInbound('201'),
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 4,
      ring: 1,
      bill: 3,
    },
  ],
  '02-inbound-answered-callee-hangup': [
    {
      ...inbound,
      to: '1001',
      events: plainInbound('201'),
      ...answered,
      answeredBy: '201',
      hangup: ['callee', 'Answered'],
      duration: 4,
      ring: 1,
      bill: 3,
    },
  ],
  '03-inbound-noanswer-voicemail': [
    {
      ...inbound,
      to: '1001',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        'user.inbound.completed 201 missed',
        'voicemail.left 201',
        'call.missed 201 voicemail',
        'call.ended',
      ],
      ...unanswered,
      status: 'voicemail',
      hangup: ['caller', 'No Answer'],
      duration: 21,
      ring: 8,
    },
  ],
  '04-inbound-ivr-option2-answered': [
    {
      ...inbound,
      to: '1002',
      events: [
        'call.inbound.received',
        'ivr.received main',
        'ivr.option_selected main 2',
        'user.inbound.ringing 202',
        'call.inbound.answered 202',
        'user.inbound.answered 202',
        'user.inbound.completed 202 completed',
        'call.ended 202',
      ],
      ...answered,
      answeredBy: '202',
      hangup: ['caller', 'Answered'],
      duration: 6,
      ring: 1,
      bill: 3.5,
    },
  ],
  '06-queue-rna-201-then-202-answers': [
    {
      ...inbound,
      to: '1003',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201 @sales',
        'user.inbound.completed 201 @sales missed',
        'user.inbound.ringing 202 @sales',
        'call.inbound.answered 202 @sales',
        'user.inbound.answered 202 @sales',
        'user.inbound.completed 202 @sales completed',
        'queue.call.summary 202 @sales completed 201x1 202x1',
        'call.ended 202 @sales',
      ],
      ...answered,
      answeredBy: '202',
      hangup: ['caller', 'Answered'],
      duration: 9.5,
      ring: 5,
      wait: 6.5,
      bill: 3,
    },
  ],
  '07-queue-abandoned': [
    {
      ...inbound,
      to: '1003',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201 @sales',
        'user.inbound.completed 201 @sales missed',
        'queue.call.summary @sales abandoned 201x1',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      ...unanswered,
      status: 'canceled',
      hangup: ['caller', 'Canceled'],
      duration: 2.5,
      ring: 2,
      wait: 2.5,
    },
  ],
  '08-queue-timeout': [
    {
      ...inbound,
      to: '1003',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201 @sales',
        'user.inbound.completed 201 @sales missed',
        'user.inbound.ringing 202 @sales',
        'user.inbound.completed 202 @sales missed',
        'user.inbound.ringing 201 @sales',
        'user.inbound.completed 201 @sales missed',
        'queue.call.summary @sales timed_out 201x2 202x1',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      ...unanswered,
      status: 'missed',
      hangup: ['system', 'No Answer'],
      duration: 15,
      ring: 12,
      wait: 14.5,
    },
  ],
  '09-ringgroup-answered-by-202': [
    {
      ...inbound,
      to: '1004',
      events: [
        'call.inbound.received',
        rings(['201', '202', '203'], '600'),
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
      ...answered,
      answeredBy: '202',
      hangup: ['caller', 'Answered'],
      duration: 4.5,
      ring: 1.5,
      bill: 3,
    },
  ],
  '10-ringgroup-noanswer': [
    {
      ...inbound,
      to: '1004',
      events: [
        'call.inbound.received',
        rings(['201', '202', '203'], '600'),
        [
          'user.inbound.completed 201 @600 missed',
          'user.inbound.completed 202 @600 missed',
          'user.inbound.completed 203 @600 missed',
        ],
        'ring_group.call.summary @600 no_answer 201x1 202x1 203x1',
        'call.missed @600 ring_group',
        'call.ended @600',
      ],
      ...unanswered,
      status: 'missed',
      hangup: ['system', 'No Answer'],
      duration: 8,
      ring: 8,
    },
  ],
  '11-outbound-answered-recorded': [
    {
      direction: 'outbound',
      from: '201',
      to: '0301111111',
      events: [
        'call.outbound.placed 201',
        'user.outbound.placed 201',
        'call.outbound.answered 201',
        'user.outbound.answered 201',
        'recording.outbound.completed 201',
        'user.outbound.completed 201 completed',
        'call.ended 201',
      ],
      ...answered,
      answeredBy: null,
      hangup: ['caller', 'Answered'],
      duration: 5,
      ring: 1,
      bill: 4,
    },
  ],
  '12-outbound-busy': [outboundFailed('0302222222', 'busy', 'busy', ['callee', 'Busy'], 0)],
  '13-outbound-cancelled': [
    outboundFailed('0303333333', 'missed', 'canceled', ['caller', 'Canceled'], 2.5),
  ],
  '14-pickup-201-by-202': [
    {
      ...inbound,
      to: '1007',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        ['user.inbound.answered 202 pickup', 'user.inbound.completed 201 answered_elsewhere'],
        'user.inbound.completed 202 completed',
        'call.ended 202',
      ],
      ...answered,
      answeredBy: '202',
      via: 'pickup',
      hangup: ['caller', 'Answered'],
      duration: 5.5,
      ring: 2.5,
      bill: 3,
    },
  ],
  '15-internal-201-to-202': [
    {
      direction: 'internal',
      from: '201',
      to: '202',
      events: [
        'call.internal.placed 201',
        'user.outbound.placed 201',
        'user.inbound.ringing 202',
        'call.internal.answered 202',
        'user.outbound.answered 201',
        'user.inbound.answered 202',
        ['user.outbound.completed 201 completed', 'user.inbound.completed 202 completed'],
        'call.ended 202',
      ],
      ...answered,
      answeredBy: '202',
      hangup: ['caller', 'Answered'],
      duration: 4,
      ring: 1,
      bill: 3,
    },
  ],
  '16-blind-transfer-201-to-202': [
    {
      ...inbound,
      to: '1007',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        'call.inbound.answered 201',
        'user.inbound.answered 201',
        'call.transferred 201 blind 202',
        'user.inbound.completed 201 completed',
        'user.inbound.ringing 202',
        'user.inbound.answered 202',
        'user.inbound.completed 202 completed',
        'call.ended 201',
      ],
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 9,
      ring: 1,
      bill: 8,
    },
  ],
  '17-attended-transfer-dtmf': [
    {
      ...inbound,
      to: '1007',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        'call.inbound.answered 201',
        'user.inbound.answered 201',
        'user.inbound.ringing 202',
        'user.inbound.answered 202',
        'call.transferred 201 attended 202',
        'user.inbound.completed 201 completed',
        'user.inbound.completed 202 completed',
        'call.ended 201',
      ],
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 15,
      ring: 1,
      bill: 14,
    },
  ],
  '18-inbound-recorded': [
    {
      ...inbound,
      to: '1005',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        'call.inbound.answered 201',
        'user.inbound.answered 201',
        'recording.inbound.completed 201',
        'user.inbound.completed 201 completed',
        'call.ended 201',
      ],
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 5,
      ring: 1,
      bill: 4,
    },
  ],
  '19-diverted-externally-dialplan': [
    {
      ...inbound,
      to: '1006',
      events: ['call.inbound.received', 'call.ended'],
      status: 'answered',
      bridged: true,
      talker: false,
      answeredBy: null,
      divertedTo: '01609999',
      hangup: ['caller', 'Answered'],
      duration: 4,
      ring: 1,
      bill: 3,
    },
  ],
  '20-inbound-caller-hangs-up-ringing': [
    {
      ...inbound,
      to: '1007',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        'user.inbound.completed 201 missed',
        'call.missed 201 user',
        'call.ended',
      ],
      ...unanswered,
      status: 'canceled',
      hangup: ['caller', 'Canceled'],
      duration: 2.5,
      ring: 2.5,
    },
  ],
  '21a-outbound-carrier-503': [
    outboundFailed('0304444444', 'failed', 'failed', ['callee', 'Failed'], 0),
  ],
  '21b-outbound-404': [outboundFailed('0305555555', 'failed', 'failed', ['callee', 'Failed'], 0)],
  '21d-outbound-dead-trunk': [outboundFailed('9123', 'failed', 'failed', ['system', 'Failed'], 16)],
  '21e-inbound-user-busy': [
    {
      ...inbound,
      to: '1007',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        'user.inbound.completed 201 busy',
        'call.missed 201 user',
        'call.ended',
      ],
      ...unanswered,
      status: 'busy',
      hangup: ['callee', 'Busy'],
      duration: 0,
      ring: 0,
    },
  ],
  '22-ami-disconnected-in-the-middle': [
    {
      ...inbound,
      to: '1001',
      events: plainInbound('201'),
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 8,
      bill: 6,
    },
  ],
  '23a-kill9-mid-call': [
    {
      ...inbound,
      to: '1001',
      events: plainInbound('201'),
      ...answered,
      answeredBy: '201',
      hangup: ['system', 'Answered'],
      // Closed at the last time at which the record knew it to live: when the two were connected.
      duration: 0.5,
      ring: 0.5,
      bill: 0,
      incomplete: true,
    },
  ],
  '24b-20-concurrent-one-stuck-channel': [
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({
      direction: 'inbound' as const,
      from: `030100000${n}`,
      to: '1007',
      events: plainInbound('201'),
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'] as const,
      duration: 3.5,
      ring: 0.5,
      bill: 3,
    })),
    ...[1, 2, 3, 4, 5].map((n) => loadIvr(n)),
    // Its channel hung in Asterisk: no HANGUP was ever written, so the record ends with what it last knew.
    {
      ...loadIvr(6),
      hangup: ['system', 'Answered'] as const,
      incomplete: true as const,
      duration: 2,
      bill: 0,
    },
    ...Array.from({ length: 6 }, () => ({
      direction: 'internal' as const,
      from: '203',
      to: '202',
      events: [
        'call.internal.placed 203',
        'user.outbound.placed 203',
        'user.inbound.ringing 202',
        'call.internal.answered 202',
        'user.outbound.answered 203',
        'user.inbound.answered 202',
        ['user.outbound.completed 203 completed', 'user.inbound.completed 202 completed'],
        'call.ended 202',
      ],
      ...answered,
      answeredBy: '202',
      hangup: ['caller', 'Answered'] as const,
      duration: 4,
      bill: 3.5,
    })),
  ],
  '26-component-event': [
    {
      ...inbound,
      to: '1009',
      events: [
        'call.inbound.received',
        'webhook_component_event vip-caller',
        ...plainInbound('201').slice(1),
      ],
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 3,
      ring: 1,
      bill: 2,
    },
  ],
  '27-foreign-dialplan-local-channel': [
    {
      ...inbound,
      to: '1010',
      events: plainInbound('201'),
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 4,
      ring: 1,
      bill: 3,
    },
  ],
  '30-reload-during-call': [
    {
      ...inbound,
      to: '1001',
      events: plainInbound('201'),
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 10,
      bill: 9,
    },
  ],
  '31-dialplan-reload-under-ivr': [
    {
      ...inbound,
      to: '1002',
      events: ['call.inbound.received', 'ivr.received main', 'call.missed ivr', 'call.ended'],
      ...unanswered,
      status: 'missed',
      hangup: ['system', 'No Answer'],
      duration: 1,
    },
  ],
  '32-broken-dialplan-reload': [],
  '34-register-then-call': [
    {
      ...inbound,
      to: '1008',
      events: plainInbound('204'),
      ...answered,
      answeredBy: '204',
      hangup: ['caller', 'Answered'],
      duration: 3,
      ring: 1,
      bill: 2,
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
        rings(['201', '202', '203'], '600'),
        'call.internal.answered 201 @600',
        'user.outbound.answered 203 @600',
        'user.inbound.answered 201 @600',
        [
          'user.inbound.completed 202 @600 answered_elsewhere',
          'user.inbound.completed 203 @600 answered_elsewhere',
        ],
        ['user.inbound.completed 201 @600 completed', 'user.outbound.completed 203 completed'],
        'ring_group.call.summary 201 @600 completed 201x1 202x1 203x1',
        'call.ended 201 @600',
      ],
      ...answered,
      answeredBy: '201',
      hangup: ['caller', 'Answered'],
      duration: 3,
      ring: 1,
      bill: 2,
    },
  ],
}

function outboundFailed(
  to: string,
  outcome: string,
  status: CallStatus,
  hangup: readonly [HangupInitiator, HangupCause],
  duration: number,
): ExpectedCall {
  return {
    direction: 'outbound',
    from: '201',
    to,
    events: [
      'call.outbound.placed 201',
      'user.outbound.placed 201',
      `user.outbound.completed 201 ${outcome}`,
      'call.ended 201',
    ],
    ...unanswered,
    status,
    hangup,
    duration,
  }
}

function loadIvr(n: number): ExpectedCall {
  return {
    direction: 'inbound',
    from: `030200000${n}`,
    to: '1020',
    events: [
      'call.inbound.received',
      'ivr.received load',
      'ivr.option_selected load 2',
      ...plainInbound('202').slice(1),
    ],
    ...answered,
    answeredBy: '202',
    hangup: ['caller', 'Answered'],
    duration: 4,
    bill: 3,
  }
}
