import { expect, test } from 'vitest'
import { oneAtATime } from '#server/http/one-at-a-time.ts'

test('work with one key runs one after the other, also after a failure; other keys do not wait', async () => {
  const inTurn = oneAtATime()
  const told: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = inTurn('a', async () => {
    told.push('first begins')
    await gate.promise
    told.push('first fails')
    throw new Error('no')
  })
  const second = inTurn('a', async () => void told.push('second'))
  await inTurn('b', async () => void told.push('other'))
  expect(told).toEqual(['first begins', 'other'])
  gate.resolve()
  await expect(first).rejects.toThrow('no')
  await second
  expect(told).toEqual(['first begins', 'other', 'first fails', 'second'])
})
