import { expect, test } from 'vitest'
import { rangeOf } from '#server/http/byte-range.ts'

test.each([
  ['bytes=0-9', { first: 0, last: 9 }],
  ['bytes=90-', { first: 90, last: 99 }],
  ['bytes=90-200', { first: 90, last: 99 }],
  ['bytes=-10', { first: 90, last: 99 }],
  ['bytes=-500', { first: 0, last: 99 }],
  ['bytes=99-99', { first: 99, last: 99 }],
])('%s of a hundred bytes', (header, range) => {
  expect(rangeOf(header, 100)).toEqual(range)
})

test.each(['bytes=100-', 'bytes=100-200', 'bytes=-0'])('%s is behind a hundred bytes', (header) => {
  expect(rangeOf(header, 100)).toBe('none')
})

test.each([undefined, '', 'bytes=-', 'bytes=9-3', 'bytes=0-1,5-6', 'items=0-1', 'bytes=x-1'])(
  '%s: all of it',
  (header) => {
    expect(rangeOf(header, 100)).toBe('whole')
  },
)

test('an empty file has no range', () => {
  expect(rangeOf('bytes=0-', 0)).toBe('none')
  expect(rangeOf('bytes=-5', 0)).toBe('none')
})
