import { expect, test } from 'vitest'
import type { QueueVisitSeen } from '#server/domain/calls/facts.ts'
import { foldRows } from '#server/domain/calls/fold.ts'
import { noCalls } from '#server/domain/calls/state.ts'
import { readTraceRows } from '#test/traces/read-trace.ts'

const { cel } = readTraceRows('48b-foreign-queue-pjsip-members')

function visitWith(trunks: readonly string[]): QueueVisitSeen {
  const { facts } = foldRows(noCalls, cel, { trunks: new Set(trunks) })
  const summary = facts.find((fact) => fact.type === 'queue.call.summary')
  if (summary === undefined) throw new Error('no summary')
  return summary.details.visit
}

test('an agent on an outside line answers the queue as one on a phone does, and is no user', () => {
  const { answeredBy, tried, ...byPhone } = visitWith(['trunk'])
  expect([answeredBy?.extension, tried.length, byPhone.outcome]).toEqual(['201', 1, 'completed'])
  expect(visitWith(['trunk', '201'])).toEqual({ ...byPhone, answeredBy: null, tried: [] })
})
