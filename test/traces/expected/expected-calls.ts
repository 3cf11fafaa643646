/**
 * What each recorded call must give, by the name of its folder: written by hand from the recordings' READMEs and the
 * event catalogue, never from the program's output.
 */
import type { ExpectedCalls } from '#test/traces/expected/building-blocks.ts'
import { diversions } from '#test/traces/expected/diversions.ts'
import { failures } from '#test/traces/expected/failures.ts'
import { inboundCalls } from '#test/traces/expected/inbound.ts'
import { internalCalls } from '#test/traces/expected/internal.ts'
import { interrupted } from '#test/traces/expected/interrupted.ts'
import { ivrCalls } from '#test/traces/expected/ivr.ts'
import { manyAtOnce } from '#test/traces/expected/many-at-once.ts'
import { outboundCalls } from '#test/traces/expected/outbound.ts'
import { pickups } from '#test/traces/expected/pickups.ts'
import { queueCalls } from '#test/traces/expected/queues.ts'
import { ringGroupCalls } from '#test/traces/expected/ring-groups.ts'
import { attendedTransfers, blindTransfers } from '#test/traces/expected/transfers.ts'
import { voicemailCalls } from '#test/traces/expected/voicemail.ts'
import { withoutMarks } from '#test/traces/expected/without-marks.ts'

export const expectedCalls: ExpectedCalls = {
  ...inboundCalls,
  ...failures,
  ...diversions,
  ...voicemailCalls,
  ...ivrCalls,
  ...queueCalls,
  ...ringGroupCalls,
  ...pickups,
  ...blindTransfers,
  ...attendedTransfers,
  ...outboundCalls,
  ...internalCalls,
  ...interrupted,
  ...manyAtOnce,
  ...withoutMarks,
}
