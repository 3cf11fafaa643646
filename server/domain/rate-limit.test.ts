import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Bucket,
  newBucket,
  nextRequestAt,
  refilled,
  roomIn,
  takenFrom,
} from '#server/domain/rate-limit.ts'

const begin = Date.UTC(2026, 10, 22)

/** Sends as much as it may at each of these times; returns the time of every request. */
function send(bucket: Bucket, times: Iterable<number>): readonly number[] {
  const sent: number[] = []
  let now = bucket
  for (const time of times) {
    now = refilled(now, time)
    const room = roomIn(now)
    now = takenFrom(now, room)
    for (let i = 0; i < room; i += 1) sent.push(time)
  }
  return sent
}

function* every(ms: number, until: number) {
  for (let t = 0; t <= until; t += ms) yield begin + t
}

test.each([1, 3, 7, 10, 99, 1000])(
  '%d per second: exact over a minute, looked at often',
  (rate) => {
    const sent = send(newBucket(rate, begin), every(7, 60_000))
    const first = Math.max(1, Math.floor(rate / 10))
    expect(sent.length).toBeLessThanOrEqual(60 * rate + first)
    expect(sent.length).toBeGreaterThanOrEqual(60 * rate - 1)
  },
)

test('looked at when it says, it gives one each time and never less than the rate', () => {
  let bucket = takenFrom(newBucket(3, begin), 1)
  let now = begin
  const times: number[] = []
  for (let i = 0; i < 30; i += 1) {
    now = nextRequestAt(bucket)
    bucket = refilled(bucket, now)
    expect(roomIn(bucket)).toBe(1)
    bucket = takenFrom(bucket, 1)
    times.push(now - begin)
  }
  expect(times.slice(0, 4)).toEqual([334, 667, 1000, 1334])
  expect(times.at(-1)).toBe(10_000)
})

test('no second has more than the rate and a tenth, however it is looked at', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 200 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), gaps, (rate, waits) => {
      let time = begin
      const times = waits.map((wait) => {
        time += wait
        return time
      })
      const sent = send(newBucket(rate, begin), times)
      for (const [i, first] of sent.entries()) {
        const within = sent.slice(i).filter((t) => t < first + 1000).length
        expect(within).toBeLessThanOrEqual(rate + Math.max(1, rate / 10))
      }
    }),
  )
})

test('idle for an hour saves up nothing', () => {
  const idle = refilled(takenFrom(newBucket(50, begin), 5), begin + 3_600_000)
  expect(roomIn(idle)).toBe(5)
})

test('a clock that is a little behind gives nothing twice', () => {
  const empty = takenFrom(newBucket(10, begin), 1)
  expect(refilled(empty, begin - 40)).toEqual(empty)
})

test('a clock set back by an hour stops nothing', () => {
  const empty = takenFrom(newBucket(10, begin), 1)
  const back = refilled(empty, begin - 3_600_000)
  expect(nextRequestAt(back)).toBe(begin - 3_600_000 + 100)
})
