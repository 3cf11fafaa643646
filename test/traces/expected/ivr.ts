import {
  answersInbound,
  type ExpectedCalls,
  inbound,
  notAnswered,
  ringsInVain,
  talked,
} from '#test/traces/expected/building-blocks.ts'

const enters = ['call.inbound.received', 'ivr.received main'] as const

/** Calls that came to an IVR. */
export const ivrCalls: ExpectedCalls = {
  '04-inbound-ivr-option2-answered': [
    {
      ...inbound,
      to: '1002',
      events: [...enters, 'ivr.option_selected main 2', ...answersInbound('202'), 'call.ended 202'],
      ...talked('202', 'caller', { duration: 6, ring: 1, bill: 3.5 }),
    },
  ],
  '05-ivr-invalid-timeout-option1': [
    {
      ...inbound,
      to: '1002',
      events: [
        ...enters,
        'ivr.option_selected main 9 invalid',
        'ivr.option_selected main timeout',
        'ivr.option_selected main 1',
        ...answersInbound('201'),
        'call.ended 201',
      ],
      ...talked('201', 'caller', { duration: 10, ring: 1, bill: 3 }),
    },
  ],
  '05b-ivr-three-timeouts': [
    {
      ...inbound,
      to: '1002',
      events: [
        ...enters,
        'ivr.option_selected main timeout',
        'ivr.option_selected main timeout',
        'ivr.option_selected main timeout',
        'call.missed ivr',
        'call.ended',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 8.7, ring: 0 }),
    },
  ],
  '05c-ivr-caller-hangs-up': [
    {
      ...inbound,
      to: '1002',
      events: [...enters, 'call.missed ivr', 'call.ended'],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 1.5, ring: 0 }),
    },
  ],
  '05d-ivr-option1-not-answered': [
    {
      ...inbound,
      to: '1002',
      events: [
        ...enters,
        'ivr.option_selected main 1',
        ...ringsInVain('201', 'missed'),
        'call.missed 201 user',
        'call.ended',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 9.5, ring: 8 }),
    },
  ],
  '05e-ivr-three-invalid': [
    {
      ...inbound,
      to: '1002',
      events: [
        ...enters,
        'ivr.option_selected main 7 invalid',
        'ivr.option_selected main 8 invalid',
        'ivr.option_selected main 9 invalid',
        'call.missed ivr',
        'call.ended',
      ],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 6, ring: 0 }),
    },
  ],
  '05f-ivr-option1-caller-hangs-up-ringing': [
    {
      ...inbound,
      to: '1002',
      events: [
        ...enters,
        'ivr.option_selected main 1',
        ...ringsInVain('201', 'missed'),
        'call.missed 201 user',
        'call.ended',
      ],
      ...notAnswered('canceled', ['caller', 'Canceled'], { duration: 3.5, ring: 2 }),
    },
  ],
  '31-dialplan-reload-under-ivr': [
    {
      ...inbound,
      to: '1002',
      events: [...enters, 'call.missed ivr', 'call.ended'],
      ...notAnswered('missed', ['system', 'No Answer'], { duration: 1 }),
    },
  ],
  '40-internal-to-ivr': [
    {
      direction: 'internal',
      from: '203',
      to: '800',
      events: [
        'call.internal.placed 203',
        'user.outbound.placed 203',
        'ivr.received main',
        'ivr.option_selected main 2',
        'user.inbound.ringing 202',
        'call.internal.answered 202',
        'user.outbound.answered 203',
        'user.inbound.answered 202',
        ['user.outbound.completed 203 completed', 'user.inbound.completed 202 completed'],
        'call.ended 202',
      ],
      ...talked('202', 'caller', { duration: 5, ring: 1, bill: 2.5 }),
    },
  ],
}
