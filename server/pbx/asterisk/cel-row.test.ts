import { describe, expect, test } from 'vitest'
import { celColumns, parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { parseQueueLogRow } from '#server/pbx/asterisk/queue-log-row.ts'

function record(fields: Partial<Record<(typeof celColumns)[number], string>>): string {
  const whole = {
    EventType: 'ANSWER',
    EventEnum: 'ANSWER',
    EventTime: '1795359620.458846',
    UniqueID: 'pbx1-1795359620.0',
    LinkedID: 'pbx1-1795359620.0',
    ...fields,
  } as Record<string, string>
  return celColumns.map((name) => `"${(whole[name] ?? '').replaceAll('"', '""')}"`).join(',')
}

const rowOf = (text: string) => {
  const parsed = parseCelRow(text)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed.row
}

test('hostile text comes through as it is', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: what a hostile caller sends, not a template
  const name = 'O"Neil\\", {} \n ${SHELL(rm)} 📞,","'
  expect(rowOf(record({ Name: name })).callerName).toBe(name)
})

test('times have microseconds', () => {
  expect(rowOf(record({})).at).toBeCloseTo(1_795_359_620_458.846, 3)
})

test('a mark is named by its user-defined type', () => {
  const row = rowOf(
    record({ EventType: 'PBX_INBOUND', EventEnum: 'USER_DEFINED', UserDefType: 'PBX_INBOUND' }),
  )
  expect([row.type, row.mark]).toEqual(['USER_DEFINED', 'PBX_INBOUND'])
})

test('a broken extra costs its facts, not the row', () => {
  expect(rowOf(record({ EventExtra: '{"hangupcause":16,' })).extra).toEqual({})
  expect(rowOf(record({ EventExtra: '["x"]' })).extra).toEqual({})
})

test.each([
  ['', 'it has 1 columns instead of 23'],
  ['"a","b"', 'it has 2 columns instead of 23'],
  [record({}).slice(0, -1), 'the quoting is broken'],
  [record({}).replace('"ANSWER"', '"ANS"WER"'), 'the quoting is broken'],
  [record({ EventTime: '2026-11-22 15:00:20' }), 'EventTime "2026-11-22 15:00:20"'],
  [record({ UniqueID: '' }), 'UniqueID is empty'],
])('%s is no row', (text, problem) => {
  expect(parseCelRow(text)).toEqual({ problem: expect.stringContaining(problem) })
})

describe('a row that was torn where the writer died or the disk was full', () => {
  const torn = record({ Name: 'O"Neil', UniqueID: 'pbx1-1795359611.9' })
  const next = record({ EventType: 'CHAN_START', EventEnum: 'CHAN_START' })
  const mark = record({ EventType: 'PBX_END', EventEnum: 'USER_DEFINED', UserDefType: 'PBX_END' })

  test('costs itself and not the row behind it, wherever it was cut', () => {
    for (let at = 1; at < torn.length; at++) {
      for (const whole of [next, mark]) {
        expect(parseCelRow(torn.slice(0, at) + whole).row).toEqual(rowOf(whole))
      }
    }
  })

  test('costs its remainder only once when it happens again', () => {
    const parsed = parseCelRow(torn.slice(0, 90) + torn.slice(0, 130) + next)
    expect(parsed).toMatchObject({ problem: expect.any(String), row: rowOf(next) })
  })

  test('gives nothing where the row behind it is torn too', () => {
    const parsed = parseCelRow(torn.slice(0, 90) + next.slice(0, -9))
    expect(parsed).toMatchObject({ problem: expect.any(String), row: undefined })
  })

  test('no caller can write a row by his name', () => {
    const name = `x${next}`
    expect(rowOf(record({ Name: name })).callerName).toBe(name)
    expect(parseCelRow(record({ Name: name }).slice(0, -20)).row).toBeUndefined()
  })
})

test('a line of queue_log', () => {
  expect(
    parseQueueLogRow('1795359671|pbx1-1795359671.15|sales|NONE|ENTERQUEUE||0301234567|1'),
  ).toEqual({
    row: {
      kind: 'queue_log',
      at: 1_795_359_671_000,
      uniqueId: 'pbx1-1795359671.15',
      queue: 'sales',
      agent: 'NONE',
      event: 'ENTERQUEUE',
      data: ['', '0301234567', '1'],
    },
  })
  expect(parseQueueLogRow('half a li')).toEqual({ problem: expect.stringContaining('time') })
  expect(parseQueueLogRow('1795359671|x|y')).toEqual({
    problem: 'it has fewer than five fields',
  })
})
