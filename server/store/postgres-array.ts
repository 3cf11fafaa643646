/**
 * Columns of a batch as PostgreSQL's arrays in their binary form: dimensions, whether there are nulls, type of the
 * elements, length, lower bound, then each element behind its length
 * (https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c, array_recv). Nothing has to be
 * escaped on this side or looked through for quotes on the other.
 */
import type { BatchColumns, Value } from '#server/store/batch.ts'

type ColumnType = BatchColumns[string]

/** https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat */
const oids: Readonly<Record<ColumnType, number>> = { bigint: 20, integer: 23, text: 25 }
const sizes: Readonly<Record<Exclude<ColumnType, 'text'>, number>> = { bigint: 8, integer: 4 }

const headBytes = 20
const isNull = -1
const word = 2 ** 32

/** One column of the rows. Throws RangeError where a number is none that the type holds. */
export function binaryArray(type: ColumnType, values: readonly Value[]): Buffer {
  return type === 'text' ? textArray(values) : numberArray(type, values)
}

function withHead(type: ColumnType, count: number, bytes: number): Buffer {
  const array = Buffer.allocUnsafe(headBytes + bytes)
  array.writeInt32BE(1, 0)
  array.writeInt32BE(1, 4)
  array.writeInt32BE(oids[type], 8)
  array.writeInt32BE(count, 12)
  array.writeInt32BE(1, 16)
  return array
}

function textArray(values: readonly Value[]): Buffer {
  const texts = values.map((value) => (value === null ? null : text(String(value))))
  const lengths = texts.map((one) => (one === null ? 0 : Buffer.byteLength(one)))
  const bytes = lengths.reduce((sum, length) => sum + 4 + length, 0)
  const array = withHead('text', values.length, bytes)
  let at = headBytes
  texts.forEach((one, i) => {
    const length = lengths[i] ?? 0
    at = array.writeInt32BE(one === null ? isNull : length, at)
    if (one !== null) at += array.write(one, at, length, 'utf8')
  })
  return array
}

/** PostgreSQL has no place for NUL in a text. Of half a surrogate pair the buffer makes U+FFFD by itself. */
function text(value: string): string {
  return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value
}

function numberArray(type: Exclude<ColumnType, 'text'>, values: readonly Value[]): Buffer {
  const size = sizes[type]
  const nulls = values.filter((value) => value === null).length
  const array = withHead(type, values.length, values.length * (4 + size) - nulls * size)
  let at = headBytes
  for (const value of values) {
    at = array.writeInt32BE(value === null ? isNull : size, at)
    if (value === null) continue
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is no whole number`)
    if (type === 'bigint') {
      const high = Math.floor(number / word)
      at = array.writeInt32BE(high, at)
      at = array.writeUInt32BE(number - high * word, at)
    } else {
      at = array.writeInt32BE(number, at)
    }
  }
  return array
}
