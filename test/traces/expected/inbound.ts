import {
  type ExpectedCalls,
  inbound,
  inboundAnsweredBy201,
  inboundMissedByUser,
  notAnswered,
  plainInbound,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const hostileName =
  'Eve \\"Q\\", \\\\ a;b &cause=17&from=1&did=9 %0D%0A $' + "{HANGUPCAUSE} <b>x</b> 😀 'q"

/** Calls from outside straight to a user. */
export const inboundCalls: ExpectedCalls = {
  '01-inbound-answered-caller-hangup': [
    inboundAnsweredBy201('1001', 'caller', { duration: 4, ring: 1, bill: 3 }),
  ],
  '02-inbound-answered-callee-hangup': [
    inboundAnsweredBy201('1001', 'callee', { duration: 4, ring: 1, bill: 3 }),
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
        // The mark comes from the caller's thread of Asterisk, the hang-up of the phone from the phone's.
        ['recording.inbound.completed 201', 'user.inbound.completed 201 completed'],
        'call.ended 201',
      ],
      ...talked('201', 'caller', { duration: 5, ring: 1, bill: 4 }),
    },
  ],
  // Nothing in the record tells that the file is complete, nor how long it is: no recording event.
  '18b-recorded-without-stop': [
    inboundAnsweredBy201('1012', 'caller', { duration: 4, ring: 1, bill: 3 }),
  ],
  '20-inbound-caller-hangs-up-ringing': [
    inboundMissedByUser(
      '1007',
      '201',
      'missed',
      notAnswered('canceled', ['caller', 'Canceled'], { duration: 2.5, ring: 2.5 }),
    ),
  ],
  '20b-inbound-cancelled-at-once': [
    inboundMissedByUser(
      '1007',
      '201',
      'missed',
      notAnswered('canceled', ['caller', 'Canceled'], { duration: 0, ring: 0 }),
    ),
  ],
  '20c-inbound-cancelled-after-50ms': [
    inboundMissedByUser(
      '1007',
      '201',
      'missed',
      notAnswered('canceled', ['caller', 'Canceled'], { duration: 0, ring: 0 }),
    ),
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
      ...talked('201', 'caller', { duration: 3, ring: 1, bill: 2 }),
    },
  ],
  '30-reload-during-call': [inboundAnsweredBy201('1001', 'caller', { duration: 10, bill: 9 })],
  '33-hostile-caller-name': [
    {
      ...inboundAnsweredBy201('1007', 'caller', { duration: 3, ring: 1, bill: 2 }),
      source: { name: hostileName },
    },
  ],
  // The number tries to smuggle a second `did=` into the mark.
  '33b-hostile-caller-number': [
    {
      ...inboundAnsweredBy201('1007', 'caller', { duration: 3, ring: 1, bill: 2 }),
      from: '030",1\n&did=9999=x',
      source: { number: null, name: 'Eve', anonymous: false },
    },
  ],
  '33c-anonymous-caller': [
    {
      ...inboundAnsweredBy201('1007', 'caller', { duration: 3, ring: 1, bill: 2 }),
      from: 'anonymous',
      source: { number: null, anonymous: true },
    },
  ],
  '33d-inbound-plus-number': [
    {
      ...inboundAnsweredBy201('1001', 'caller', { duration: 3, ring: 1, bill: 2 }),
      from: '+61288881234',
      source: { number: '+61288881234', name: null, anonymous: false },
    },
  ],
  '34-register-then-call': [
    {
      ...inbound,
      to: '1008',
      events: plainInbound('204'),
      ...talked('204', 'caller', { duration: 3, ring: 1, bill: 2 }),
    },
  ],
  '44-component-not-answered': [
    {
      ...inbound,
      to: '1009',
      events: [
        'call.inbound.received',
        'webhook_component_event vip-caller',
        'user.inbound.ringing 201',
        'user.inbound.completed 201 missed',
        'call.missed 201 user',
        'call.ended',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 8, ring: 8 }),
    },
  ],
}
