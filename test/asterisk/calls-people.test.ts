/** Somebody calls a user, who answers, is busy, is away, or is called by nobody else; voicemail. */
import { testCalls } from '#test/asterisk/live-calls.ts'
import { scenarios } from '#test/asterisk/scenarios.ts'

testCalls([
  ...scenarios.answeredAndRefused,
  ...scenarios.voicemail,
  ...scenarios.recordedAndDiverted,
])
