import { expect, test } from 'vitest'
import { wantedFormat } from '#server/http/list-format.ts'

test.each([
  [undefined, 'json'],
  ['*/*', 'json'],
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'json'],
  ['text/csv', 'csv'],
  ['Text/CSV; charset=utf-8', 'csv'],
  ['text/csv, */*;q=0.1', 'csv'],
  ['application/x-ndjson', 'ndjson'],
  ['application/json, text/csv', 'json'],
  ['application/json;q=0.5, text/csv;q=0.9', 'csv'],
  ['text/csv;q=0', 'json'],
  ['text/csv;q=nonsense', 'json'],
])('Accept: %s wants %s', (accept, format) => {
  expect(wantedFormat(accept)).toBe(format)
})
