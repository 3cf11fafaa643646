import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  afterOutcome,
  type Breaker,
  type BreakerOutcome,
  closedBreaker,
  failsTooLong,
} from '#server/domain/breaker.ts'

const now = Date.UTC(2026, 10, 22, 9, 0, 0)
const second = 1000
const day = 86_400 * second

const status = (statusCode: number, retryAfter: string | null = null): BreakerOutcome => ({
  ok: statusCode < 300,
  statusCode,
  error: statusCode < 300 ? null : 'status',
  errorDetail: statusCode < 300 ? null : `The receiver answered ${statusCode}.`,
  retryAfter,
})
const refused: BreakerOutcome = {
  ok: false,
  statusCode: null,
  error: 'connect_refused',
  errorDetail: 'Nobody listens there.',
  retryAfter: null,
}
const ok = status(200)

const play = (outcomes: readonly BreakerOutcome[], from: Breaker = closedBreaker) =>
  outcomes.reduce((breaker, outcome, i) => afterOutcome(breaker, outcome, now + i, 0.5), from)
const times = (count: number, outcome: BreakerOutcome) => Array<BreakerOutcome>(count).fill(outcome)

describe('closed', () => {
  test.each([
    ['no connection', refused],
    ['500', status(500)],
    ['429', status(429)],
    ['a redirect', { ...status(302), error: 'redirect' as const }],
  ])('five failures in a row open it: %s', (_, outcome) => {
    expect(play(times(4, outcome))).toMatchObject({ state: 'closed', failures: 4, until: null })
    expect(play(times(5, outcome))).toEqual({
      state: 'open',
      failures: 5,
      failingSince: now,
      until: now + 4 + 5 * second,
      reason: `5 attempts in a row failed. The last one: ${outcome.errorDetail}`,
      opens: 1,
    })
  })

  test('a few refusals do not open it, twenty in a row do', () => {
    expect(play(times(19, status(400))).state).toBe('closed')
    expect(play(times(20, status(401))).state).toBe('open')
    const record: BreakerOutcome = { ...status(200), ok: false, error: 'refused' }
    expect(play(times(19, record)).state).toBe('closed')
    expect(play(times(20, record)).state).toBe('open')
  })

  test('a success between them begins the count anew', () => {
    const outcomes = [...times(4, refused), ok, ...times(4, refused)]
    expect(play(outcomes)).toMatchObject({ state: 'closed', failures: 4, failingSince: now + 5 })
    expect(play([...outcomes, ok])).toEqual(closedBreaker)
  })
})

describe('open', () => {
  const open = play(times(5, refused))

  test('failures of what was under way change neither pause nor count of openings', () => {
    expect(play(times(3, refused), open)).toEqual({ ...open, failures: 8 })
  })

  test('a success of what was under way closes it', () => {
    expect(play([ok], open)).toEqual(closedBreaker)
  })
})

describe('half open', () => {
  const halfOpen: Breaker = { ...play(times(5, refused)), state: 'half_open' }

  test('a probe that succeeds closes it', () => {
    expect(play([ok], halfOpen)).toEqual(closedBreaker)
  })

  test('a probe that fails opens it for twice as long, of whatever kind it is', () => {
    for (const outcome of [refused, status(404)]) {
      const again = afterOutcome(halfOpen, outcome, now + 60 * second, 0.5)
      expect(again).toMatchObject({ state: 'open', opens: 2, failures: 6, failingSince: now })
      expect(again.until).toBe(now + 70 * second)
    }
  })

  test('the pause grows to five minutes, give or take a fifth', () => {
    for (const random of [0, 0.5, 0.999]) {
      let breaker: Breaker = closedBreaker
      const pauses: number[] = []
      for (let i = 0; i < 3000; i += 1) {
        const state = breaker.state === 'open' ? ('half_open' as const) : breaker.state
        const before = breaker.opens
        breaker = afterOutcome({ ...breaker, state }, refused, now, random)
        if (breaker.opens > before) pauses.push((breaker.until ?? 0) - now)
      }
      expect(pauses.slice(0, 8).map((p) => Math.round(p / (0.8 + 0.4 * random) / second))).toEqual([
        5, 10, 20, 40, 80, 160, 300, 300,
      ])
      expect(Math.max(...pauses)).toBeLessThanOrEqual(360 * second)
    }
  })

  test('the receiver can ask for a longer pause, up to an hour, where the answer means it', () => {
    const untilOf = (outcome: BreakerOutcome) => afterOutcome(halfOpen, outcome, now, 0.5).until
    expect(untilOf(status(503, '120'))).toBe(now + 120 * second)
    expect(untilOf(status(429, '1'))).toBe(now + 10 * second)
    expect(untilOf(status(503, '86400'))).toBe(now + 3600 * second)
    expect(untilOf(status(503, 'soon'))).toBe(now + 10 * second)
    expect(untilOf(status(404, '120'))).toBe(now + 10 * second)
  })
})

describe('disabling', () => {
  const failing = play(times(5, refused))

  test('after nothing but failures for the time', () => {
    expect(failsTooLong(failing, now + 5 * day - 1, 5 * day)).toBe(false)
    expect(failsTooLong(failing, now + 5 * day, 5 * day)).toBe(true)
    expect(failsTooLong(failing, now + 500 * day, null)).toBe(false)
  })

  test('not for two failures far apart, not after a success', () => {
    expect(failsTooLong(play(times(2, refused)), now + 9 * day, 5 * day)).toBe(false)
    expect(failsTooLong(play([ok], failing), now + 9 * day, 5 * day)).toBe(false)
  })
})

test('whatever comes: open has a time, a reason and failures; closed after a success has nothing', () => {
  const outcome = fc.constantFrom(ok, refused, status(400), status(500), status(503, '30'))
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 60 }), fc.boolean(), (outcomes, probes) => {
      let breaker = closedBreaker
      for (const [i, each] of outcomes.entries()) {
        const state = probes && breaker.state === 'open' ? ('half_open' as const) : breaker.state
        breaker = afterOutcome({ ...breaker, state }, each, now + i, 0.3)
        expect(breaker.state === 'closed').toBe(breaker.until === null)
        expect(breaker.state === 'closed').toBe(breaker.reason === null)
        expect(breaker.failures === 0).toBe(each.ok)
        expect(breaker.failingSince === null).toBe(each.ok)
      }
    }),
  )
})
