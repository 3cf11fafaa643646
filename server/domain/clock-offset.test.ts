import { expect, test } from 'vitest'
import { offsetNow, offsetOf } from '#server/domain/clock-offset.ts'

test('the offset is that of the clocks, whatever the handling takes', () => {
  // The sender is one hour ahead; 20 ms there, 500 ms of handling, 20 ms back.
  const hour = 3_600_000
  const exchange = {
    sentAt: 1_000 + hour,
    receivedAt: 1_020,
    repliedAt: 1_520,
    arrivedAt: 1_540 + hour,
  }
  expect(offsetOf(exchange)).toEqual({ offset_ms: hour, round_trip_ms: 40 })
})

test('a way that is slow on one side is wrong by half of what it is slower, and the quickest one is taken', () => {
  const slow = offsetOf({ sentAt: 0, receivedAt: 300, repliedAt: 300, arrivedAt: 310 })
  expect(slow).toEqual({ offset_ms: -145, round_trip_ms: 310 })
  const quick = offsetOf({ sentAt: 0, receivedAt: 10, repliedAt: 10, arrivedAt: 20 })
  expect(offsetNow([slow, quick])).toEqual({ offset_ms: 0, round_trip_ms: 20 })
  expect(offsetNow([quick, slow])).toEqual({ offset_ms: 0, round_trip_ms: 20 })
  expect(offsetNow([])).toBeNull()
})

test('a clock that was set is told at once, although it was measured better before', () => {
  const before = { offset_ms: 0, round_trip_ms: 2 }
  const after = { offset_ms: -3_600_010, round_trip_ms: 40 }
  expect(offsetNow([before, before, after])).toEqual(after)
})

test('a clock that is set back under way gives no negative way', () => {
  const jumped = offsetOf({ sentAt: 5_000, receivedAt: 10, repliedAt: 10, arrivedAt: 20 })
  expect(jumped.round_trip_ms).toBe(0)
})
