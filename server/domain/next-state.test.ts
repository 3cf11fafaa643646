import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextState } from '#server/domain/next-state.ts'

const now = Date.UTC(2026, 10, 22, 9, 15, 0)
const situation = { attemptsDone: 1, attemptsEver: 1, probe: false, retries: 3, now, random: 0.5 }

const answered = (statusCode: number | null, retryAfter: string | null = null) => ({
  ok: statusCode !== null && statusCode >= 200 && statusCode < 300,
  statusCode,
  retryAfter,
})

test('2xx is delivered', () => {
  expect(nextState(answered(204), situation)).toEqual({
    state: 'delivered',
    decision: 'Delivered.',
  })
})

test.each([null, 301, 400, 404, 500, 503])('%s is tried again after the pause', (statusCode) => {
  expect(nextState(answered(statusCode), situation)).toEqual({
    state: 'pending',
    dueAt: now + 5000,
    decision: 'Try 2 of 4 follows in 5 s.',
    counts: true,
  })
})

test('a 2xx whose end did not come in time is a failure', () => {
  const cut = { ok: false, statusCode: 200, retryAfter: null }
  expect(nextState(cut, situation).state).toBe('pending')
})

test('the last try is the first and all retries', () => {
  expect(nextState(answered(500), { ...situation, attemptsDone: 3 })).toMatchObject({
    state: 'pending',
    decision: 'Try 4 of 4 follows in 2 min.',
  })
  expect(nextState(answered(500), { ...situation, attemptsDone: 4 })).toEqual({
    state: 'exhausted',
    decision: 'Given up: all 4 tries failed.',
    disableWebhook: null,
  })
})

describe('a failed probe of the circuit breaker', () => {
  const probe = { ...situation, probe: true, attemptsDone: 4, attemptsEver: 9 }

  test('costs no try, also when it was the last one', () => {
    expect(nextState(answered(500), probe)).toEqual({
      state: 'pending',
      dueAt: now + 600_000,
      decision: 'It was the probe of the open circuit breaker, so it counts as none of the tries.',
      counts: false,
    })
  })

  test('counts where the webhook wants no second try, and at last after a thousand', () => {
    expect(nextState(answered(500), { ...probe, retries: 0 }).state).toBe('exhausted')
    expect(nextState(answered(500), { ...probe, attemptsEver: 1000 }).state).toBe('exhausted')
  })

  test('a success delivers, 410 disables', () => {
    expect(nextState(answered(200), probe).state).toBe('delivered')
    expect(nextState(answered(410), probe)).toMatchObject({ disableWebhook: 'gone' })
  })
})

test('no retries: one try', () => {
  expect(nextState(answered(500), { ...situation, retries: 0 })).toEqual({
    state: 'exhausted',
    decision: 'Given up: the webhook has no retries.',
    disableWebhook: null,
  })
})

test('more attempts than tries, after the retries were lowered: given up', () => {
  const lowered = { ...situation, attemptsDone: 9, retries: 1 }
  expect(nextState(answered(500), lowered).state).toBe('exhausted')
})

test('410 disables the webhook at once, whatever tries are left', () => {
  expect(nextState(answered(410, '60'), situation)).toMatchObject({
    state: 'exhausted',
    disableWebhook: 'gone',
  })
})

test.each([
  ['120', 120_000, 'Try 2 of 4 follows in 2 min, as the receiver asked.'],
  ['125', 125_000, 'Try 2 of 4 follows in 2 min 5 s, as the receiver asked.'],
  ['1', 5000, 'Try 2 of 4 follows in 5 s.'],
  ['soon', 5000, 'Try 2 of 4 follows in 5 s.'],
  ['Sun, 22 Nov 2026 10:15:00 GMT', 3_600_000, 'Try 2 of 4 follows in 1 h, as the receiver asked.'],
  ['9999999', 86_400_000, 'Try 2 of 4 follows in 24 h, the longest that a receiver can ask for.'],
])('Retry-After %s is heeded', (retryAfter, delay, decision) => {
  expect(nextState(answered(429, retryAfter), situation)).toEqual({
    state: 'pending',
    dueAt: now + delay,
    decision,
    counts: true,
  })
})

test('a delivery that never succeeds ends after exactly 1 + retries attempts, each later than the one before', () => {
  fc.assert(
    fc.property(
      fc.nat(50),
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
        minLength: 51,
        maxLength: 51,
      }),
      (retries, chances) => {
        let at = now
        for (let attemptsDone = 1; ; attemptsDone++) {
          const random = chances[attemptsDone - 1] ?? 0
          const next = nextState(answered(null), {
            attemptsDone,
            attemptsEver: attemptsDone,
            probe: false,
            retries,
            now: at,
            random,
          })
          if (next.state === 'exhausted') return attemptsDone === retries + 1
          if (next.state !== 'pending' || next.dueAt <= at) return false
          at = next.dueAt
        }
      },
    ),
  )
})
