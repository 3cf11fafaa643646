import { expect, test } from 'vitest'
import { periodOf } from '#server/cli/period.ts'

const now = Date.UTC(2026, 10, 22, 12, 0, 0)

test.each([
  ['90s', now - 90_000],
  ['30min', now - 1_800_000],
  ['2h', now - 7_200_000],
  ['3d', now - 259_200_000],
  ['2026-11-22T09:00Z', Date.UTC(2026, 10, 22, 9)],
  ['2026-11-22T09:00:30.250+02:00', Date.UTC(2026, 10, 22, 7, 0, 30, 250)],
  ['2026-11-22Z', Date.UTC(2026, 10, 22)],
])('--since %s', (since, at) => {
  expect(periodOf({ since }, now)).toEqual({ since: at, until: Number.MAX_SAFE_INTEGER })
})

test('--until ends it', () => {
  expect(periodOf({ since: '2d', until: '1d' }, now).until).toBe(now - 86_400_000)
})

test.each(['', 'yesterday', '2', '2 h', '2w', '2026-11-22', '2026-11-22T09:00', '2026-13-01Z'])(
  '"%s" is no time that has one meaning',
  (since) => {
    expect(() => periodOf({ since }, now)).toThrow(/--since is how long ago/)
  },
)

test('the beginning has to be said', () => {
  expect(() => periodOf({}, now)).toThrow(/--since is missing/)
})
