import {
  answersInbound,
  type ExpectedCall,
  type ExpectedCalls,
  inbound,
  inboundAnsweredBy201,
  inboundMissedByUser,
  notAnswered,
  outboundAnswered,
  outboundNotAnswered,
  plainInbound,
  plainInternal,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'
import { consultation, joinedBy201 } from '#test/traces/expected/transfers.ts'

const leftToVoicemail: ExpectedCall['events'] = [
  'call.inbound.received',
  ...ringsInVain('201', 'missed'),
  // Whether a message was left is not in the record.
  'call.missed 201 voicemail',
  'call.ended',
]

/** A call through one Local channel, as FreePBX makes them. */
const throughLocalChannel: ExpectedCalls = {
  '27-foreign-dialplan-local-channel': [
    inboundAnsweredBy201('1010', 'caller', { duration: 4, ring: 1, bill: 3 }),
  ],
  '27b-foreign-local-callee-hangs-up': [
    inboundAnsweredBy201('1010', 'callee', { duration: 3, ring: 1, bill: 2 }),
  ],
  '27c-foreign-local-not-answered': [
    inboundMissedByUser(
      '1010',
      '201',
      'missed',
      notAnswered('missed', ['system', 'No Answer'], { duration: 8, ring: 8 }),
    ),
  ],
  '27d-foreign-local-busy': [
    inboundMissedByUser(
      '1010',
      '201',
      'busy',
      notAnswered('busy', ['callee', 'Busy'], { duration: 0, ring: 0 }),
    ),
  ],
  '27e-foreign-local-cancelled': [
    inboundMissedByUser(
      '1010',
      '201',
      'missed',
      notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5, ring: 2.5 }),
    ),
  ],
  '27f-foreign-voicemail-left': [
    {
      ...inbound,
      to: '1015',
      events: leftToVoicemail,
      ...notAnswered('missed', ['caller', 'No Answer'], { duration: 14, ring: 5 }),
    },
  ],
}

const plainCalls: ExpectedCalls = {
  '45-foreign-inbound-answered': [
    inboundAnsweredBy201('0290001001', 'caller', { duration: 4, ring: 1, bill: 3 }),
  ],
  '45b-foreign-inbound-busy': [
    inboundMissedByUser(
      '0290001005',
      '202',
      'busy',
      notAnswered('busy', ['callee', 'Busy'], { duration: 0, ring: 0 }),
    ),
  ],
  '45c-foreign-inbound-not-answered': [
    inboundMissedByUser(
      '0290001005',
      '202',
      'missed',
      notAnswered('missed', ['system', 'No Answer'], { duration: 8, ring: 8 }),
    ),
  ],
  '45d-foreign-inbound-voicemail': [
    {
      ...inbound,
      to: '0290001001',
      events: leftToVoicemail,
      ...notAnswered('missed', ['caller', 'No Answer'], { duration: 14, ring: 5 }),
    },
  ],
  '46-foreign-internal': [
    {
      direction: 'internal',
      from: '201',
      to: '202',
      events: plainInternal('201', '202'),
      ...talked('202', 'caller', { duration: 4, ring: 1, bill: 3 }),
    },
  ],
  '46b-foreign-internal-callee-hangs-up': [
    {
      direction: 'internal',
      from: '201',
      to: '202',
      events: plainInternal('201', '202'),
      ...talked('202', 'callee', { duration: 3, ring: 1, bill: 2 }),
    },
  ],
  '47-foreign-outbound': [
    {
      direction: 'outbound',
      from: '201',
      to: '0301111111',
      events: [
        ...outboundAnswered('201'),
        'user.outbound.completed 201 completed',
        'call.ended 201',
      ],
      ...talked(null, 'caller', { duration: 4, ring: 1, bill: 3 }),
    },
  ],
  '47b-foreign-outbound-busy': [
    outboundNotAnswered(
      '0302222222',
      'busy',
      notAnswered('busy', ['callee', 'Busy'], { duration: 0, ring: 0 }),
    ),
  ],
  '47c-foreign-outbound-cancelled': [
    outboundNotAnswered(
      '0303333333',
      'missed',
      notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5, ring: 2.5 }),
    ),
  ],
}

const throughObjects: ExpectedCalls = {
  '48-foreign-queue-local-members': [
    {
      ...inbound,
      to: '0290001003',
      events: [
        'call.inbound.received',
        ...ringsInVain('201', 'missed', '700'),
        ...answersInbound('202', '700'),
        'queue.call.summary 202 @700 completed 201x1 202x1',
        'call.ended 202 @700',
      ],
      ...talked('202', 'caller', {
        duration: 9,
        ring: 5,
        wait: 6,
        bill: 2.5,
        answers: [{ after: 6.5, talk: 2.5 }],
      }),
    },
  ],
  '48b-foreign-queue-pjsip-members': [
    {
      ...inbound,
      to: '0290001006',
      events: [
        'call.inbound.received',
        ...answersInbound('201', '701'),
        'queue.call.summary 201 @701 completed 201x1',
        'call.ended 201 @701',
      ],
      ...talked('201', 'callee', {
        duration: 3.5,
        ring: 1,
        wait: 1,
        bill: 2,
        answers: [{ after: 1.5, talk: 2 }],
      }),
    },
  ],
  '48c-foreign-queue-abandoned': [
    {
      ...inbound,
      to: '0290001006',
      events: [
        'call.inbound.received',
        ...ringsInVain('201', 'missed', '701'),
        'queue.call.summary @701 abandoned 201x1',
        'call.missed @701 queue',
        'call.ended @701',
      ],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5, ring: 2, wait: 2 }),
    },
  ],
  // A ring group and an IVR are nothing but names of contexts there.
  '49-foreign-ringgroup-local': [
    {
      ...inbound,
      to: '0290001004',
      events: [
        'call.inbound.received',
        ['user.inbound.ringing 201', 'user.inbound.ringing 202', 'user.inbound.ringing 203'],
        'call.inbound.answered 202',
        'user.inbound.answered 202',
        [
          'user.inbound.completed 201 answered_elsewhere',
          'user.inbound.completed 203 answered_elsewhere',
        ],
        'user.inbound.completed 202 completed',
        'call.ended 202',
      ],
      ...talked('202', 'caller', { duration: 4.5, ring: 1.5, bill: 3 }),
    },
  ],
  '50-foreign-ivr-option2': [
    {
      ...inbound,
      to: '0290001002',
      events: plainInbound('202'),
      ...talked('202', 'caller', { duration: 5.5, ring: 1, bill: 3 }),
    },
  ],
}

const movedCalls: ExpectedCalls = {
  '51-foreign-pickup': [
    {
      ...inbound,
      to: '0290001005',
      events: [
        'call.inbound.received',
        'user.inbound.ringing 202',
        [
          'call.inbound.answered 203 pickup',
          'user.inbound.answered 203 pickup',
          'user.inbound.completed 202 answered_elsewhere',
        ],
        'user.inbound.completed 203 completed',
        'call.ended 203',
      ],
      ...talked('203', 'caller', { duration: 5.5, ring: 2.5, bill: 3 }),
      via: 'pickup',
    },
  ],
  '52-foreign-blind-transfer': [
    {
      ...inbound,
      to: '0290001001',
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
      ...talked('201', 'caller', { duration: 8, ring: 1, bill: 7 }),
    },
  ],
  '53-foreign-attended-transfer-refer': [
    {
      ...inbound,
      to: '0290001001',
      events: joinedBy201,
      ...talked('201', 'caller', { duration: 11, ring: 1, bill: 10 }),
      merged: 1,
    },
    consultation,
  ],
  '54-foreign-voicemail-menu': [],
}

/** Dialplans that know nothing of Offhook: what plain CEL and queue_log can tell. */
export const withoutMarks: ExpectedCalls = {
  ...throughLocalChannel,
  ...plainCalls,
  ...throughObjects,
  ...movedCalls,
}
