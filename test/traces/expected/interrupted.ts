import {
  type ExpectedCalls,
  inbound,
  inboundAnsweredBy201,
  notAnswered,
  outboundAnswered,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'

/** The PBX, or our link to it, is cut or restarted while calls last. */
export const interrupted: ExpectedCalls = {
  '22-ami-disconnected-in-the-middle': [
    inboundAnsweredBy201('1001', 'caller', { duration: 8, bill: 6 }),
  ],
  // Closed at the last time at which the record knew it to live: when the two were connected.
  '23a-kill9-mid-call': [
    {
      ...inboundAnsweredBy201('1001', 'system', { duration: 0.5, ring: 0.5, bill: 0 }),
      incomplete: true,
    },
  ],
  '23b-core-restart-mid-call': [
    inboundAnsweredBy201('1007', 'system', { duration: 3, ring: 1, bill: 2 }),
  ],
  '23c-kill9-while-queue-rings': [
    {
      ...inbound,
      to: '1003',
      events: [
        'call.inbound.received',
        ...ringsInVain('201', 'failed', 'sales'),
        'queue.call.summary @sales left 201x1',
        'call.missed @sales queue',
        'call.ended @sales',
      ],
      // Neither given up nor busy nor rung out.
      ...notAnswered('failed', ['system', 'Failed'], { duration: 0.5, ring: 0, wait: 0.5 }),
      incomplete: true,
    },
    inboundAnsweredBy201('1007', 'caller', { duration: 3, ring: 1, bill: 2 }),
  ],
  '23d-kill9-mid-outbound-recorded': [
    {
      direction: 'outbound',
      from: '201',
      to: '0301111111',
      events: [
        ...outboundAnswered('201'),
        'user.outbound.completed 201 completed',
        'call.ended 201',
      ],
      ...talked(null, 'system', { duration: 1, ring: 1, bill: 0 }),
      incomplete: true,
    },
  ],
  '32-broken-dialplan-reload': [],
}
