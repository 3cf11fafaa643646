import { expect, test } from 'vitest'
import { foldRows } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { noCalls } from '#server/domain/calls/state.ts'
import { readTraceRows } from '#test/traces/read-trace.ts'

const trace = '19b-diverted-by-phone-302'

/** As a real Asterisk writes it now and then: the leg is hung up before its channel has been told why. */
const untold = (row: PbxRow): PbxRow =>
  row.kind === 'cel' && row.extra.hangupcause === 23
    ? { ...row, extra: { ...row.extra, hangupcause: 0 } }
    : row

const outcomesOf = (rows: readonly PbxRow[]) =>
  foldRows(noCalls, rows).facts.map((fact) => [
    fact.type,
    fact.type === 'user.inbound.completed' ? fact.details.part.outcome : null,
  ])

test('a phone that sends the call on has rejected it, also where its leg ends without a cause', () => {
  const { cel } = readTraceRows(trace)
  const changed = cel.map(untold)
  expect(changed).not.toEqual(cel)
  const told = outcomesOf(cel)
  expect(told).toContainEqual(['user.inbound.completed', 'rejected'])
  expect(outcomesOf(changed)).toEqual(told)
})
