import { expect, test } from 'vitest'
import { createAccessTokens } from '#server/pipeline/access-tokens.ts'

/** Counts what is fetched: `t1`, `t2`, … */
function counting(expiresInMs: number | null = null) {
  let fetched = 0
  return {
    count: () => fetched,
    fetch: async () => {
      fetched += 1
      const token = `t${fetched}`
      await new Promise(setImmediate)
      return { token, expiresInMs }
    },
  }
}

test('one is fetched for all that wait, and kept', async () => {
  const tokens = createAccessTokens<string>()
  const { fetch, count } = counting()
  const got = await Promise.all(Array.from({ length: 50 }, () => tokens.get('a', fetch)))
  expect(new Set(got)).toEqual(new Set(['t1']))
  expect(await tokens.get('a', fetch)).toBe('t1')
  expect(await tokens.get('b', fetch)).toBe('t2')
  expect(count()).toBe(2)
})

test('one that was refused is replaced once, however many say so', async () => {
  const tokens = createAccessTokens<string>()
  const { fetch, count } = counting()
  await tokens.get('a', fetch)
  tokens.drop('a', 't1')
  expect(await tokens.get('a', fetch)).toBe('t2')
  tokens.drop('a', 't1')
  expect(await tokens.get('a', fetch)).toBe('t2')
  expect(count()).toBe(2)
})

test('one that is about to end is not handed out', async () => {
  const tokens = createAccessTokens<string>()
  const { fetch } = counting(0)
  await tokens.get('a', fetch)
  expect(await tokens.get('a', fetch)).toBe('t2')
})

test('a failure is told again without asking again', async () => {
  const tokens = createAccessTokens<string>()
  let asked = 0
  const fetch = async () => {
    asked += 1
    throw new Error('down')
  }
  for (let i = 0; i < 5; i++) await expect(tokens.get('a', fetch)).rejects.toThrow('down')
  expect(asked).toBe(1)
})
