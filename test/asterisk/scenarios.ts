/**
 * Calls to be placed on a real PBX that runs the demo document. Each is a call that was recorded once
 * (`test/traces/<recording>`), with the same pauses: the live call must give what `test/traces/expected` says of the
 * recording, and what differs stands beside it here.
 */

import {
  after,
  anna,
  answersAfter,
  answersAndHangsUp,
  anyRefusal,
  ben,
  type Cast,
  isBusy,
  onlyRings,
  phone,
  talk,
  untilTheyHangUp,
  user,
} from '#test/asterisk/people.ts'
import {
  answered,
  awaitHangUp,
  cancelWhileRinging,
  consultAndTransferTo,
  dial,
  hangUp,
  press,
  redirectTo,
  rejectWith,
  ringThenAnswer,
  type Step,
  speak,
  transferTo,
  wait,
} from '#test/support/sipp-scenario.ts'
import type { ExpectedCall } from '#test/traces/expected/building-blocks.ts'

export interface Scenario extends Cast {
  /** Folder of `test/traces` with the same call. */
  readonly recording: string
  /** In what the expected call differs from that of the recording. */
  readonly differs?: Partial<ExpectedCall>
}

const answeredAndRefused: readonly Scenario[] = [
  {
    recording: '01-inbound-answered-caller-hangup',
    callers: [anna('1001', ...talk(3_000))],
    phones: { 201: answersAfter(1_000) },
  },
  {
    recording: '02-inbound-answered-callee-hangup',
    callers: [anna('1001', ...untilTheyHangUp)],
    phones: { 201: answersAndHangsUp(3_000) },
  },
  {
    recording: '20-inbound-caller-hangs-up-ringing',
    callers: [anna('1007', cancelWhileRinging(2_500))],
    phones: { 201: onlyRings },
  },
  {
    // Not 20b, cancelled at once: whether the phone is still offered that call is a matter of chance.
    recording: '20c-inbound-cancelled-after-50ms',
    callers: [anna('1007', cancelWhileRinging(50))],
    phones: { 201: onlyRings },
  },
  { recording: '21c-inbound-user-not-registered', callers: [anna('1008', anyRefusal)] },
  {
    recording: '21e-inbound-user-busy',
    callers: [anna('1007', anyRefusal)],
    phones: { 201: isBusy },
  },
  {
    recording: '21f-inbound-declined-603',
    callers: [anna('1007', anyRefusal)],
    phones: { 201: phone(rejectWith('603 Decline')) },
  },
  {
    recording: '21g-inbound-480',
    callers: [anna('1007', anyRefusal)],
    phones: { 201: phone(rejectWith('480 Temporarily Unavailable')) },
  },
  { recording: '21j-unknown-did', callers: [anna('1999', anyRefusal)] },
  {
    recording: '26-component-event',
    callers: [anna('1009', ...talk(2_000))],
    phones: { 201: answersAfter(1_000) },
  },
  {
    recording: '33-hostile-caller-name',
    callers: [
      {
        ...anna('1007', ...talk(2_000)),
        // biome-ignore lint/suspicious/noTemplateCurlyInString: that is the attack
        name: 'Eve "Q", \\ a;b &cause=17&from=1&did=9 %0D%0A ${HANGUPCAUSE} <b>x</b> 😀 \'q',
      },
    ],
    phones: { 201: answersAfter(1_000) },
  },
  {
    recording: '34-register-then-call',
    registers: ['204'],
    callers: [anna('1008', ...talk(2_000))],
    phones: { 204: answersAfter(1_000) },
  },
]

const voicemail: readonly Scenario[] = [
  {
    recording: '03-inbound-noanswer-voicemail',
    callers: [anna('1001', answered, speak, wait(13_000), hangUp)],
    phones: { 201: onlyRings },
  },
  {
    recording: '35-busy-voicemail-left',
    callers: [anna('1001', answered, speak, wait(10_000), hangUp)],
    phones: { 201: isBusy },
  },
  {
    recording: '35b-voicemail-hangup-in-greeting',
    callers: [anna('1001', ...talk(1_000))],
    phones: { 201: onlyRings },
  },
]

const ivr: readonly Scenario[] = [
  {
    recording: '04-inbound-ivr-option2-answered',
    callers: [anna('1002', answered, wait(1_500), press('2'), wait(4_500), hangUp)],
    phones: { 202: answersAfter(1_000) },
  },
  {
    recording: '05-ivr-invalid-timeout-option1',
    // The second time-out falls at about 4 s and the third would at about 6.5 s: in between, a slow machine has room.
    callers: [
      anna(
        '1002',
        ...[answered, wait(1_500), press('9'), wait(3_800), press('1'), wait(4_800), hangUp],
      ),
    ],
    phones: { 201: answersAfter(1_000) },
  },
  { recording: '05b-ivr-three-timeouts', callers: [anna('1002', ...untilTheyHangUp)] },
  { recording: '05c-ivr-caller-hangs-up', callers: [anna('1002', ...talk(1_500))] },
  {
    recording: '28c-ivr-queue-answered',
    callers: [anna('1002', answered, wait(1_500), press('3'), wait(4_000), hangUp)],
    phones: { 201: answersAfter(1_000) },
  },
  {
    recording: '40-internal-to-ivr',
    callers: [user('203', '800', answered, wait(1_500), press('2'), wait(3_500), hangUp)],
    phones: { 202: answersAfter(1_000) },
  },
]

const queue: readonly Scenario[] = [
  {
    recording: '06-queue-rna-201-then-202-answers',
    callers: [anna('1003', ...talk(9_000))],
    phones: { 201: onlyRings, 202: answersAfter(1_000) },
  },
  {
    recording: '07-queue-abandoned',
    callers: [anna('1003', ...talk(2_500))],
    phones: { 201: onlyRings },
  },
  {
    recording: '08-queue-timeout',
    callers: [anna('1003', ...untilTheyHangUp)],
    phones: { 201: { ...onlyRings, calls: 2 }, 202: onlyRings },
  },
  {
    recording: '28-queue-agent-hangs-up',
    callers: [anna('1003', ...untilTheyHangUp)],
    phones: { 201: answersAndHangsUp(2_000) },
  },
  {
    recording: '28f-queue-two-callers',
    callers: [anna('1003', ...talk(5_000)), after(500, ben('1003', ...talk(5_000)))],
    phones: { 201: answersAfter(1_000), 202: answersAfter(1_000) },
  },
  {
    recording: '37-pickup-of-queue-call',
    callers: [anna('1003', ...talk(5_500)), after(2_000, user('203', '**201', ...untilTheyHangUp))],
    phones: { 201: onlyRings },
  },
  {
    recording: '41-internal-to-queue',
    callers: [user('203', '700', ...talk(9_000))],
    phones: { 201: onlyRings, 202: answersAfter(1_000) },
  },
]

const ringGroup: readonly Scenario[] = [
  {
    recording: '09-ringgroup-answered-by-202',
    callers: [anna('1004', ...talk(3_000))],
    phones: { 201: onlyRings, 202: answersAfter(1_500), 203: onlyRings },
  },
  {
    recording: '10-ringgroup-noanswer',
    callers: [anna('1004', anyRefusal)],
    phones: { 201: onlyRings, 202: onlyRings, 203: onlyRings },
  },
  {
    recording: '38-internal-to-ringgroup-and-queue',
    callers: [user('203', '600', ...talk(2_000))],
    phones: { 201: answersAfter(1_000), 202: onlyRings, 203: onlyRings },
  },
  {
    recording: '43-ringgroup-busy-declined-answered',
    callers: [anna('1004', ...talk(3_000))],
    phones: { 201: isBusy, 202: phone(rejectWith('603 Decline')), 203: answersAfter(1_500) },
  },
]

const outboundAndInternal: readonly Scenario[] = [
  {
    recording: '11-outbound-answered-recorded',
    callers: [user('201', '0301111111', answered, speak, wait(4_000), hangUp)],
    phones: { carrier: phone(ringThenAnswer(1_000), speak, awaitHangUp) },
  },
  {
    recording: '11b-outbound-not-recorded',
    callers: [user('201', '8061288881234', ...talk(3_000))],
    phones: { carrier: answersAfter(1_000) },
    differs: { to: '8061288881234' },
  },
  {
    recording: '11d-outbound-recorded-callee-hangs-up',
    callers: [user('202', '0301111111', answered, speak, awaitHangUp)],
    phones: { carrier: answersAndHangsUp(2_000) },
  },
  {
    recording: '12-outbound-busy',
    callers: [user('201', '0302222222', anyRefusal)],
    phones: { carrier: isBusy },
  },
  {
    recording: '13-outbound-cancelled',
    callers: [user('201', '0303333333', cancelWhileRinging(2_500))],
    phones: { carrier: onlyRings },
  },
  {
    recording: '15-internal-201-to-202',
    callers: [user('201', '202', ...talk(3_000))],
    phones: { 202: answersAfter(1_000) },
  },
  {
    recording: '21a-outbound-carrier-503',
    callers: [user('201', '0304444444', anyRefusal)],
    phones: { carrier: phone(rejectWith('503 Service Unavailable')) },
  },
  {
    recording: '21b-outbound-404',
    callers: [user('201', '0305555555', anyRefusal)],
    phones: { carrier: phone(rejectWith('404 Not Found')) },
  },
  { recording: '21d-outbound-dead-trunk', callers: [user('201', '9123', anyRefusal)] },
]

const pickUp: readonly Scenario[] = [
  {
    recording: '14-pickup-201-by-202',
    callers: [anna('1007', ...talk(3_000)), after(2_000, user('202', '**201', ...untilTheyHangUp))],
    phones: { 201: onlyRings },
  },
  {
    recording: '14b-pickup-of-ringgroup-call-by-203',
    callers: [anna('1004', ...talk(3_000)), after(2_000, user('203', '**201', ...untilTheyHangUp))],
    phones: { 201: onlyRings, 202: onlyRings, 203: onlyRings },
  },
  { recording: '29-pickup-failed', callers: [user('202', '**201', anyRefusal)] },
]

const attended = (talkMs: number, ...sound: readonly Step[]) =>
  phone(
    ringThenAnswer(1_000),
    ...sound,
    ...[wait(2_000), dial('*2'), wait(1_500), dial('202'), wait(talkMs), hangUp],
  )

const transfer: readonly Scenario[] = [
  {
    recording: '16-blind-transfer-201-to-202',
    callers: [anna('1007', ...talk(8_000))],
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
    recording: '16b-blind-transfer-to-outside',
    callers: [anna('1007', ...talk(7_000))],
    phones: {
      201: phone(ringThenAnswer(1_000), wait(2_000), transferTo('01609999')),
      carrier: answersAfter(1_000),
    },
  },
  {
    recording: '17-attended-transfer-dtmf',
    callers: [anna('1007', ...talk(14_000))],
    phones: { 201: attended(4_000), 202: answersAfter(1_000) },
  },
  {
    recording: '17b-attended-transfer-dtmf-rtp',
    callers: [anna('1007', answered, speak, wait(14_000), hangUp)],
    phones: {
      201: attended(4_000, speak),
      202: phone(ringThenAnswer(1_000), speak, awaitHangUp),
    },
  },
  {
    recording: '17c-attended-transfer-refer',
    callers: [anna('1007', ...talk(10_000))],
    phones: {
      201: phone(ringThenAnswer(1_000), wait(2_000), consultAndTransferTo('202', '201', 2_500)),
      202: answersAfter(1_000),
    },
  },
]

const recordedAndDiverted: readonly Scenario[] = [
  {
    recording: '18-inbound-recorded',
    callers: [anna('1005', answered, speak, wait(4_000), hangUp)],
    phones: { 201: phone(ringThenAnswer(1_000), speak, awaitHangUp) },
  },
  {
    recording: '19-diverted-externally-dialplan',
    callers: [anna('1006', ...talk(3_000))],
    phones: { carrier: answersAfter(1_000) },
  },
  {
    recording: '19b-diverted-by-phone-302',
    callers: [anna('1011', ...talk(3_000))],
    phones: { 202: phone(redirectTo('01609999')), carrier: answersAfter(1_000) },
    // The demo has Bob at this number, for Carol diverts in the PBX.
    differs: {
      events: [
        'call.inbound.received',
        'user.inbound.ringing 202',
        'user.inbound.completed 202 rejected',
        'call.ended',
      ],
    },
  },
]

/** By theme, so that suites of about the same length can be played side by side. */
export const scenarios = {
  answeredAndRefused,
  voicemail,
  ivr,
  queue,
  ringGroup,
  outboundAndInternal,
  pickUp,
  transfer,
  recordedAndDiverted,
} as const satisfies Record<string, readonly Scenario[]>
