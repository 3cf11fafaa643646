import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { delayBeforeRetry, longestRetryAfterMs, parseRetryAfter } from '#server/domain/backoff.ts'

const middle = 0.5
const second = 1000
const minute = 60 * second
const hour = 60 * minute

describe('the pause before a retry', () => {
  test.each([
    [1, 5 * second],
    [2, 30 * second],
    [3, 2 * minute],
    [4, 10 * minute],
    [5, 30 * minute],
    [6, 2 * hour],
    [7, 8 * hour],
    [8, 8 * hour],
    [50, 8 * hour],
  ])('after attempt %i it is %i ms', (attemptsDone, pause) => {
    expect(delayBeforeRetry(attemptsDone, middle, null)).toBe(pause)
  })

  test('chance moves it by a fifth at most', () => {
    expect(delayBeforeRetry(1, 0, null)).toBe(4 * second)
    expect(delayBeforeRetry(1, 1 - Number.EPSILON, null)).toBe(6 * second)
  })

  test('is never earlier than the receiver asks, and never later than both a day and the schedule', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.nat(Number.MAX_SAFE_INTEGER),
        (attemptsDone, random, asked) => {
          const delay = delayBeforeRetry(attemptsDone, random, asked)
          expect(Number.isInteger(delay)).toBe(true)
          expect(delay).toBeGreaterThanOrEqual(Math.min(asked, longestRetryAfterMs))
          expect(delay).toBeGreaterThanOrEqual(4 * second)
          expect(delay).toBeLessThanOrEqual(longestRetryAfterMs)
        },
      ),
    )
  })
})

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 22, 9, 15, 0)

  test.each([
    ['0', 0],
    ['120', 120 * second],
    [' 7 ', 7 * second],
    ['Sun, 22 Nov 2026 09:16:30 GMT', 90 * second],
    ['Sunday, 22-Nov-26 09:16:30 GMT', 90 * second],
    ['Sun Nov 22 09:16:30 2026', 90 * second],
    ['Tue Dec  1 09:15:00 2026', 9 * 24 * hour],
    ['Sun, 22 Nov 2026 09:14:59 GMT', 0],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
  ])('%s asks for %i ms', (text, ms) => {
    expect(parseRetryAfter(text, now)).toBe(ms)
  })

  test.each([
    '',
    '-1',
    '1.5',
    '1e3',
    '5 minutes',
    '2026-11-22T09:16:30Z',
    'Sun, 31 Nov 2026 25:00:00 GMT',
    'Sun, 22 Nov 2026 09:16:30 +0100',
    '٣',
  ])('%j says nothing', (text) => {
    expect(parseRetryAfter(text, now)).toBeNull()
  })

  test('a number beyond all measure is a number', () => {
    const asked = parseRetryAfter('9'.repeat(5000), now)
    expect(delayBeforeRetry(1, middle, asked)).toBe(longestRetryAfterMs)
  })

  test('no text makes it fail', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const asked = parseRetryAfter(text, now)
        expect(asked === null || asked >= 0).toBe(true)
      }),
    )
  })
})
