import { expect, test } from 'vitest'
import { patientTurns } from '#server/pbx/asterisk/patient-turns.ts'

test('a folder is looked into by one at a time, another folder meanwhile', async () => {
  const turns = patientTurns<string>(5_000, async () => undefined)
  const looking: string[] = []
  const first = Promise.withResolvers<string>()
  const look = (name: string, answer: Promise<string>) => async () => {
    looking.push(name)
    return await answer
  }
  const one = turns.take('/a', look('one', first.promise))
  const two = turns.take('/a', look('two', Promise.resolve('two')))
  const other = turns.take('/b', look('other', Promise.resolve('other')))
  expect(await other).toBe('other')
  expect(looking).toEqual(['one', 'other'])
  first.resolve('one')
  expect(await Promise.all([one, two])).toEqual(['one', 'two'])
})

test('a folder that does not answer is asked once; what it gives too late is let go of', async () => {
  const let_go: string[] = []
  const turns = patientTurns<string>(20, async (late) => void let_go.push(late))
  const hung = Promise.withResolvers<string>()
  let looks = 0
  const look = async () => {
    looks += 1
    return await hung.promise
  }
  expect(await turns.take('/a', look)).toBeNull()
  expect(await turns.take('/a', look)).toBeNull()
  expect(looks).toBe(1)
  hung.resolve('late')
  expect(await turns.take('/a', async () => 'again')).toBe('again')
  expect({ looks, let_go }).toEqual({ looks: 1, let_go: ['late'] })
})

test('one that fails holds up nobody', async () => {
  const turns = patientTurns<string>(5_000, async () => undefined)
  const failing = turns.take('/a', async () => {
    throw new Error('no')
  })
  const next = turns.take('/a', async () => 'next')
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('next')
})
