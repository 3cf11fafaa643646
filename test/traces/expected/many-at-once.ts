import {
  type ExpectedCall,
  type ExpectedCalls,
  plainInbound,
  plainInternal,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

const to201 = (n: number): ExpectedCall => ({
  direction: 'inbound',
  from: `030100000${n}`,
  to: '1007',
  events: plainInbound('201'),
  ...talked('201', 'caller', { duration: 3.5, ring: 0.5, bill: 3 }),
})

const throughIvr = (n: number, to: string, ivr: string): ExpectedCall => ({
  direction: 'inbound',
  from: `030200000${n}`,
  to,
  events: [
    'call.inbound.received',
    `ivr.received ${ivr}`,
    `ivr.option_selected ${ivr} 2`,
    ...plainInbound('202').slice(1),
  ],
  ...talked('202', 'caller', { duration: 4.5, bill: 3 }),
})

const internal: ExpectedCall = {
  direction: 'internal',
  from: '203',
  to: '202',
  events: plainInternal('203', '202'),
  ...talked('202', 'caller', { duration: 4, bill: 3 }),
}

/** Twenty calls at once, their rows interleaved. */
export const manyAtOnce: ExpectedCalls = {
  '24-20-concurrent': [
    ...numbers(8).map(to201),
    ...numbers(6).map((n) => throughIvr(n, '1002', 'main')),
    ...numbers(6).map(() => internal),
  ],
  '24b-20-concurrent-one-stuck-channel': [
    ...numbers(8).map(to201),
    ...numbers(5).map((n) => throughIvr(n, '1020', 'load')),
    // Its channel hung in Asterisk: no HANGUP was ever written, so the record ends with what it last knew.
    {
      ...throughIvr(6, '1020', 'load'),
      ...talked('202', 'system', { duration: 2, bill: 0 }),
      incomplete: true,
    },
    ...numbers(6).map(() => internal),
  ],
}
