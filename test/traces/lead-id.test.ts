/** The recorded calls brought no lead id; here one of them is given the mark of one, as the dialplan writes it. */
import { expect, test } from 'vitest'
import { foldRows } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { noCalls } from '#server/domain/calls/state.ts'
import { describe as describeEvent } from '#server/domain/events/describe.ts'
import { directoryOf } from '#server/domain/events/directory.ts'
import { readTraceRows } from '#test/traces/read-trace.ts'

const service = {
  uuid: '5f0c6a3e-4f1d-4c57-9a52-0d5c2c1a7b11',
  name: 'pbx1',
  friendly_name: 'Head office',
  type: 'hosted_pbx',
  country: null,
} as const

test('the lead id that a call brings is in every event of it', () => {
  const rows = readTraceRows('04-inbound-ivr-option2-answered').cel.flatMap((row): PbxRow[] => {
    if (row.kind !== 'cel' || row.mark !== 'PBX_INBOUND') return [row]
    const lead = { ...row, mark: 'PBX_LEAD', extra: { extra: 'id=L%261%20%3D' } }
    return [lead, row]
  })
  const { facts } = foldRows(noCalls, rows, { trunks: new Set(['trunk']) })
  const directory = directoryOf({ id: 'acc_1', name: 'main' }, service, null)
  const events = facts.map((fact) => describeEvent(fact, directory, false))
  expect(events.map(({ type }) => type)).toContain('call.ended')
  expect(new Set(events.map(({ call }) => call.lead_id))).toEqual(new Set(['L&1 =']))
})
