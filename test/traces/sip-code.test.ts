/** The recorded calls are older than the SIP response in PBX_END; here the mark of one is given it. */
import { expect, test } from 'vitest'
import { foldRows } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { noCalls } from '#server/domain/calls/state.ts'
import { readTraceRows } from '#test/traces/read-trace.ts'

function sipCodes(said: string): readonly unknown[] {
  const rows = readTraceRows('12-outbound-busy').cel.map((row): PbxRow => {
    if (row.kind !== 'cel' || row.mark !== 'PBX_END') return row
    return { ...row, extra: { ...row.extra, extra: `sip=${encodeURIComponent(said)}&cause=17` } }
  })
  const { facts } = foldRows(noCalls, rows, { trunks: new Set(['trunk']) })
  return facts.flatMap((fact) => (fact.type === 'call.ended' ? [fact.details.record.sipCode] : []))
}

test.each([
  ['SIP 486 Busy Here', 486],
  ['SIP 200 OK', 200],
  ['SIP 603 Decline', 603],
  ['SIP 180 Ringing', null],
  ['', null],
  ['SIP 48', null],
  ['4862', null],
])('%s: %s', (said, code) => {
  expect(sipCodes(said)).toEqual([code])
})
