import { expect, test } from 'vitest'
import { steadyClock } from '#server/pipeline/steady-clock.ts'

const hour = 3_600_000

test('follows the wall clock ahead and never goes back', () => {
  let wall = 10 * hour
  let monotonic = 500
  const now = steadyClock(
    () => wall,
    () => monotonic,
  )
  expect(now()).toBe(10 * hour)
  const pass = (ms: number, jump = 0) => {
    wall += ms + jump
    monotonic += ms
    return now()
  }
  expect(pass(1_000)).toBe(10 * hour + 1_000)
  // Set back by an hour: time goes on as it passes.
  expect(pass(1_000, -hour)).toBe(10 * hour + 2_000)
  expect(pass(1_000)).toBe(10 * hour + 3_000)
  // Set ahead by two: followed.
  expect(pass(1_000, 2 * hour)).toBe(11 * hour + 4_000)
  expect(pass(1_000)).toBe(11 * hour + 5_000)
})
