import { expect, test } from 'vitest'
import { median, percentile, rounded, spreadOf } from '#bench/statistics.ts'

test('median and percentiles are values that were there, or between two of them', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(percentile(hundred, 0.5)).toBe(51)
  expect(percentile(hundred, 0.99)).toBe(100)
  expect(percentile([7], 0.99)).toBe(7)
})

test('nothing has no median and no percentile', () => {
  expect(() => median([])).toThrow()
  expect(() => percentile([], 0.5)).toThrow()
})

test('figures are shown to three digits', () => {
  expect(rounded(0.123_456)).toBe(0.123)
  expect(rounded(12_345.6)).toBe(12_346)
  expect(spreadOf([0.5, 0.1234, 2])).toEqual({ median: 0.5, least: 0.123, most: 2 })
})
