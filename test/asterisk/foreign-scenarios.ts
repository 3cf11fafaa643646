/** Calls on the PBX of `foreign-pbx/`, whose dialplan has no marks: what plain CEL and queue_log can tell. */
import {
  after,
  anna,
  answersAfter,
  answersAndHangsUp,
  anyRefusal,
  isBusy,
  onlyRings,
  phone,
  talk,
  untilTheyHangUp,
  user,
} from '#test/asterisk/people.ts'
import type { Scenario } from '#test/asterisk/scenarios.ts'
import {
  answered,
  awaitHangUp,
  cancelWhileRinging,
  consultAndTransferTo,
  hangUp,
  press,
  ringThenAnswer,
  speak,
  transferTo,
  wait,
} from '#test/support/sipp-scenario.ts'

export const foreignScenarios: readonly Scenario[] = [
  {
    recording: '27-foreign-dialplan-local-channel',
    callers: [anna('1010', ...talk(3_000))],
    phones: { 201: answersAfter(1_000) },
  },
  {
    recording: '27b-foreign-local-callee-hangs-up',
    callers: [anna('1010', ...untilTheyHangUp)],
    phones: { 201: answersAndHangsUp(2_000) },
  },
  {
    recording: '27d-foreign-local-busy',
    callers: [anna('1010', anyRefusal)],
    phones: { 201: isBusy },
  },
  {
    recording: '27e-foreign-local-cancelled',
    callers: [anna('1010', cancelWhileRinging(2_500))],
    phones: { 201: onlyRings },
  },
  {
    recording: '45-foreign-inbound-answered',
    callers: [anna('0290001001', ...talk(3_000))],
    phones: { 201: answersAfter(1_000) },
  },
  {
    recording: '45b-foreign-inbound-busy',
    callers: [anna('0290001005', anyRefusal)],
    phones: { 202: isBusy },
  },
  {
    recording: '45d-foreign-inbound-voicemail',
    callers: [anna('0290001001', answered, speak, wait(9_000), hangUp)],
    phones: { 201: onlyRings },
  },
  {
    recording: '46-foreign-internal',
    callers: [user('201', '202', ...talk(3_000))],
    phones: { 202: answersAfter(1_000) },
  },
  {
    recording: '47-foreign-outbound',
    callers: [user('201', '0301111111', ...talk(3_000))],
    phones: { carrier: answersAfter(1_000) },
  },
  {
    recording: '47b-foreign-outbound-busy',
    callers: [user('201', '0302222222', anyRefusal)],
    phones: { carrier: isBusy },
  },
  {
    recording: '48-foreign-queue-local-members',
    callers: [anna('0290001003', ...talk(9_000))],
    phones: { 201: onlyRings, 202: answersAfter(1_000) },
  },
  {
    recording: '48b-foreign-queue-pjsip-members',
    callers: [anna('0290001006', ...untilTheyHangUp)],
    phones: { 201: answersAndHangsUp(2_000) },
  },
  {
    recording: '48c-foreign-queue-abandoned',
    callers: [anna('0290001006', ...talk(2_500))],
    phones: { 201: onlyRings },
  },
  {
    recording: '49-foreign-ringgroup-local',
    callers: [anna('0290001004', ...talk(3_000))],
    phones: { 201: onlyRings, 202: answersAfter(1_500), 203: onlyRings },
  },
  {
    recording: '50-foreign-ivr-option2',
    callers: [anna('0290001002', answered, wait(1_500), press('2'), wait(4_000), hangUp)],
    phones: { 202: answersAfter(1_000) },
  },
  {
    recording: '51-foreign-pickup',
    callers: [
      anna('0290001005', ...talk(3_000)),
      after(2_000, user('203', '**202', ...untilTheyHangUp)),
    ],
    phones: { 202: onlyRings },
  },
  {
    recording: '52-foreign-blind-transfer',
    callers: [anna('0290001001', ...talk(7_000))],
    phones: {
      201: phone(ringThenAnswer(1_000), wait(2_000), transferTo('202')),
      202: answersAfter(1_000),
    },
    // 201 leaves in the moment in which 202 is called: either may be first.
    differs: {
      events: [
        'call.inbound.received',
        'user.inbound.ringing 201',
        'call.inbound.answered 201',
        'user.inbound.answered 201',
        'call.transferred 201 blind 202',
        ['user.inbound.completed 201 completed', 'user.inbound.ringing 202'],
        'user.inbound.answered 202',
        'user.inbound.completed 202 completed',
        'call.ended 201',
      ],
    },
  },
  {
    recording: '53-foreign-attended-transfer-refer',
    callers: [anna('0290001001', ...talk(10_000))],
    phones: {
      201: phone(ringThenAnswer(1_000), wait(2_000), consultAndTransferTo('202', '201', 2_500)),
      202: phone(ringThenAnswer(1_000), awaitHangUp),
    },
  },
]
