import { expect, test } from 'vitest'
import { createGroupCommit } from '#server/store/group-commit.ts'

interface Item {
  readonly name: string
  readonly key?: string
  readonly weight?: number
  readonly lingerMs?: number
}

/** A group commit whose commits end when told, and that writes down who went together. */
function tracked(fails: (names: readonly string[]) => boolean = () => false) {
  const groups: string[][] = []
  const gates: (() => void)[] = []
  const group = createGroupCommit<Item, string>({
    async commit(items) {
      const names = items.map((item) => item.name)
      groups.push(names)
      await new Promise<void>((resolve) => gates.push(resolve))
      if (fails(names)) throw new Error(`not ${names.join()}`)
      return names
    },
    weigh: (item) => item.weight ?? 1,
    maxWeight: 3,
    keyOf: (item) => item.key ?? null,
    concernsAll: (error) => error instanceof Error && error.message.includes('away'),
    lingerMs: (item) => item.lingerMs ?? 0,
  })
  const openAll = async () => {
    while (gates.length > 0) {
      gates.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { ...group, groups, openAll }
}

test('what comes during a commit goes into the next one, up to its weight', async () => {
  const { add, groups, openAll } = tracked()
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => add({ name }))
  await openAll()
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(groups).toEqual([['a'], ['b', 'c', 'd'], ['e']])
})

test('what is too heavy for company goes alone', async () => {
  const { add, groups, openAll } = tracked()
  const all = [add({ name: 'a' }), add({ name: 'b', weight: 9 }), add({ name: 'c' })]
  await openAll()
  await Promise.all(all)
  expect(groups).toEqual([['a'], ['b'], ['c']])
})

test('items of one key keep their order and never share a group', async () => {
  const { add, groups, openAll } = tracked()
  const items = [
    { name: 'x' },
    { name: 'a1', key: 'a' },
    { name: 'a2', key: 'a' },
    { name: 'b1', key: 'b' },
  ]
  const all = items.map((item) => add(item))
  await openAll()
  await Promise.all(all)
  expect(groups).toEqual([['x'], ['a1', 'b1'], ['a2']])
})

test('a group that fails is tried in halves: each gets its own answer', async () => {
  const { add, groups, openAll } = tracked((names) => names.includes('bad'))
  const all = Promise.allSettled(['a', 'b', 'bad', 'c'].map((name) => add({ name })))
  await openAll()
  expect((await all).map((result) => result.status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ])
  expect(groups).toEqual([['a'], ['b', 'bad', 'c'], ['b', 'bad'], ['b'], ['bad'], ['c']])
  const later = add({ name: 'later' })
  await openAll()
  expect(await later).toBe('later')
})

test('a fault of everybody is told to everybody at once', async () => {
  const { add, groups, openAll } = tracked((names) => names.includes('away'))
  const all = Promise.allSettled(['a', 'b', 'away', 'c'].map((name) => add({ name })))
  await openAll()
  expect((await all).map((result) => result.status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
  ])
  expect(groups).toEqual([['a'], ['b', 'away', 'c']])
})

test('what waits for company goes with the first that does not', async () => {
  const { add, groups, openAll } = tracked()
  const all = [add({ name: 'patient', lingerMs: 60_000 }), add({ name: 'hasty' })]
  await new Promise((resolve) => setImmediate(resolve))
  await openAll()
  expect(await Promise.all(all)).toEqual(['patient', 'hasty'])
  expect(groups).toEqual([['patient', 'hasty']])
})
