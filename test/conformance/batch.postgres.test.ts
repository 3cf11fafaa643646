/** Rows that go to PostgreSQL as one array per column. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import {
  type Insert,
  type Rows,
  runTogether,
  type Update,
  type Value,
} from '#server/store/batch.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'

const insert: Insert = {
  into: 'thing',
  columns: { number: 'bigint', small: 'integer', says: 'text' },
}
const numbered: Insert = { ...insert, unlessThere: 'number', numberedBy: ['number', 'says'] }
const update: Update = {
  columns: { number: 'bigint', says: 'text' },
  statement: (of, from) =>
    `update thing set says = ${of('says')} ${from} where thing.number = ${of('number')}`,
}

async function withThings<T>(store: Store, act: (trx: Trx) => Promise<T>): Promise<T> {
  return await store.write.transaction().execute(async (trx) => {
    await sql`create temporary table thing (seq bigint generated always as identity,
      number bigint unique, small integer, says text) on commit drop`.execute(trx)
    return await act(trx)
  })
}

async function written(trx: Trx): Promise<readonly unknown[]> {
  return (await sql`select number, small, says from thing order by seq`.execute(trx)).rows
}

test('what goes in comes out, in its order: nulls, large and negative numbers, any text', async () => {
  await using opened = await openPostgresTestStore()
  const rows: Value[][] = [
    [1, 2, 'a'],
    [null, null, null],
    [Number.MAX_SAFE_INTEGER, 2_147_483_647, ''],
    [Number.MIN_SAFE_INTEGER, -2_147_483_648, '{"a","b\\",NULL}'],
    [-1, 0, 'NULL'],
    [2 ** 32, -1, 'é € 😀 \u0001'],
    [2 ** 32 - 1, 1, 'x'.repeat(100_000)],
  ]
  const back = await withThings(opened.store, async (trx) => {
    expect(await runTogether.insert(trx, insert, rows)).toEqual([])
    expect(await runTogether.insert(trx, insert, [])).toEqual([])
    return await written(trx)
  })
  expect(back).toEqual(rows.map(([number, small, says]) => ({ number, small, says })))
})

test('the numbers of what was new, and what an update has changed, are told row by row', async () => {
  await using opened = await openPostgresTestStore()
  await withThings(opened.store, async (trx) => {
    const first: Rows = [
      [7, 1, 'a'],
      [8, 1, 'b'],
    ]
    const [a, b] = await runTogether.insert(trx, numbered, first)
    expect([typeof a, typeof b]).toEqual(['number', 'number'])
    expect(a).toBeLessThan(Number(b))
    const again: Rows = [
      [8, 2, 'b'],
      [9, 2, 'c'],
      [9, 2, 'c'],
    ]
    expect(await runTogether.insert(trx, numbered, again)).toEqual([null, expect.any(Number), null])

    const changes: Rows = [
      [6, 'nobody'],
      [8, 'B'],
      [9, 'C'],
    ]
    expect(await runTogether.update(trx, { ...update, tells: true }, changes)).toEqual([
      false,
      true,
      true,
    ])
    expect(await runTogether.update(trx, update, [[7, 'A']])).toEqual([])
    expect(await written(trx)).toEqual([
      { number: 7, small: 1, says: 'A' },
      { number: 8, small: 1, says: 'B' },
      { number: 9, small: 2, says: 'C' },
    ])
  })
})

test('what is no text for PostgreSQL is replaced, what is no whole number refused', async () => {
  await using opened = await openPostgresTestStore()
  const run = async (row: Value[]) =>
    await withThings(opened.store, async (trx) => {
      await runTogether.insert(trx, insert, [row])
      return await written(trx)
    })
  expect(await run([1, 1, 'a\0b \ud800 \udc00!'])).toMatchObject([
    { says: 'a\uFFFDb \uFFFD \uFFFD!' },
  ])
  await expect(run([1.5, 1, ''])).rejects.toThrow(RangeError)
  await expect(run([1, 2 ** 31, ''])).rejects.toThrow(RangeError)
})
