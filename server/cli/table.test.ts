import { expect, test } from 'vitest'
import { cut, tableWithin } from '#server/cli/table.ts'

test('a table goes without its spare column where lines would be too long', () => {
  const table = (columns: number) =>
    tableWithin(columns, ['ID', 'NAME', 'WHY'], [['wh_1', 'Zürich', 'late']], 'NAME')
  const whole = 'ID    NAME    WHY\nwh_1  Zürich  late\n'
  expect(table(Number.POSITIVE_INFINITY)).toBe(whole)
  expect(table(18)).toBe(whole)
  expect(table(17)).toBe('ID    WHY\nwh_1  late\n')
  expect(tableWithin(1, ['ID'], [['wh_1']])).toBe('ID\nwh_1\n')
})

test('what is cut says so', () => {
  expect([cut('Zürich', 6), cut('Zürich', 5)]).toEqual(['Zürich', 'Züri…'])
})
