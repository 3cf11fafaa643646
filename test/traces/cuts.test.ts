/**
 * The fold may be cut anywhere: capture reads what happens to be on disk, commits, and may die and start again from the
 * stored state between any two rows. None of it may show in the events.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fact } from '#server/domain/calls/facts.ts'
import { foldRows } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { loadCalls, noCalls, type OpenCalls, saveCalls } from '#server/domain/calls/state.ts'
import { readTraceRows, traces } from '#test/traces/read-trace.ts'

/** Folds in the given pieces, the state going through its stored form between two of them. */
function foldInPieces(pieces: readonly (readonly PbxRow[])[]): Fact[] {
  let stored = saveCalls(noCalls)
  const open = new Map<string, string>()
  const facts: Fact[] = []
  for (const piece of pieces) {
    const state: OpenCalls = loadCalls([...open.values()], stored.rest)
    const folded = foldRows(state, piece)
    stored = saveCalls(folded.state)
    // As the store does it: only what changed is written, only what is over is deleted.
    for (const id of folded.changed) open.set(id, stored.calls.get(id) as string)
    for (const id of folded.closed) if (!folded.state.calls.has(id)) open.delete(id)
    facts.push(...folded.facts)
  }
  return facts
}

function cut<T>(rows: readonly T[], at: readonly number[]): T[][] {
  const edges = [0, ...[...at].sort((a, b) => a - b), rows.length]
  return edges.slice(1).map((edge, index) => rows.slice(edges[index], edge))
}

describe.each(traces)('%s', (trace) => {
  const { cel, queueLog } = readTraceRows(trace)
  const whole = foldRows(noCalls, [...queueLog, ...cel]).facts

  test('one row at a time, restarting after each, gives the same', () => {
    expect(foldInPieces([queueLog, ...cel.map((row) => [row])])).toEqual(whole)
  })

  test('any cut gives the same', () => {
    const cuts = fc.array(fc.nat({ max: cel.length }), { maxLength: 12 })
    fc.assert(
      fc.property(cuts, (at) => {
        expect(foldInPieces([queueLog, ...cut(cel, at)])).toEqual(whole)
      }),
      { numRuns: 25 },
    )
  })

  test('queue_log may be read long before CEL or just in time', () => {
    const inTime = [...queueLog, ...cel].sort((a, b) => a.at - b.at)
    // A restart of the PBX shows only in queue_log: then the call is closed when that row comes, at the same last time.
    const sameOrder = !queueLog.some(
      (row) => row.kind === 'queue_log' && row.event === 'QUEUESTART',
    )
    if (sameOrder) expect(foldRows(noCalls, inTime).facts).toEqual(whole)
    else expect(foldRows(noCalls, inTime).facts.slice(0, whole.length)).toEqual(whole)
  })

  test('the given state is left as it was', () => {
    const half = foldRows(noCalls, cel.slice(0, Math.ceil(cel.length / 2))).state
    const before = structuredClone(half)
    foldRows(half, cel.slice(Math.ceil(cel.length / 2)))
    expect(half).toEqual(before)
  })
})
