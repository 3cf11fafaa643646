/** Rows that go to PostgreSQL as one array per column. */
import { expect, test } from 'vitest'
import { type Batch, runTogether, type Value } from '#server/store/batch.ts'
import { openPostgresTestStore } from '#test/conformance/postgres-test-store.ts'

const echo: Batch = {
  columns: { number: 'bigint', small: 'integer', says: 'text' },
  statement: (of, from) => `select ${of('number')} as number, ${of('small')} as small,
    ${of('says')} as says ${from}`,
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
  const { write } = opened.store
  const back = await write.transaction().execute(async (trx) => await runTogether(trx, echo, rows))
  expect(back).toEqual(rows.map(([number, small, says]) => ({ number, small, says })))
  expect(await write.transaction().execute((trx) => runTogether(trx, echo, []))).toEqual([])
})

test('what is no text for PostgreSQL is replaced, what is no whole number refused', async () => {
  await using opened = await openPostgresTestStore()
  const run = async (row: Value[]) =>
    await opened.store.write.transaction().execute((trx) => runTogether(trx, echo, [row]))
  expect(await run([1, 1, 'a\0b \ud800 \udc00!'])).toMatchObject([
    { says: 'a\uFFFDb \uFFFD \uFFFD!' },
  ])
  await expect(run([1.5, 1, ''])).rejects.toThrow(RangeError)
  await expect(run([1, 2 ** 31, ''])).rejects.toThrow(RangeError)
})
