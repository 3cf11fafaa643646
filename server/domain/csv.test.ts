import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvLine } from '#server/domain/csv.ts'

test('values are read back as they were by another program', () => {
  const value = fc.oneof(
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', '=', '+', '1', 'a') }),
  )
  fc.assert(
    fc.property(
      fc.array(fc.array(value, { minLength: 2, maxLength: 5 }), { minLength: 1 }),
      (rows) => {
        const text = rows.map(csvLine).join('')
        const read = parse(text, { relax_column_count: true, record_delimiter: '\r\n' })
        const expected = rows.map((row) => row.map((v) => (v === null ? '' : String(v))))
        const withoutApostrophe = (was: string, is: string) => (is === `'${was}` ? was : is)
        expect(
          read.map((row, i) => row.map((v, j) => withoutApostrophe(expected[i]?.[j] ?? '', v))),
        ).toEqual(expected)
      },
    ),
  )
})

test.each([
  ['=HYPERLINK("http://evil.example","Open")', `"'=HYPERLINK(""http://evil.example"",""Open"")"`],
  ['+cmd|calc', "'+cmd|calc"],
  ['-2+3', "'-2+3"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t=1"],
  ['＝1', "'＝1"],
])('%j is no formula to a spreadsheet', (text, cell) => {
  expect(csvLine([text])).toBe(`${cell}\r\n`)
})

test('phone numbers and negative numbers stay what they are', () => {
  expect(csvLine(['+61298765432', -4, '-4.5', 'a,b', 'say "hi"', null, true])).toBe(
    '+61298765432,-4,-4.5,"a,b","say ""hi""",,true\r\n',
  )
})
