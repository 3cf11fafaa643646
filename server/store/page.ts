import type { Page, PageRequest } from '#contracts/page.ts'
import { StoreError } from '#server/store/store-error.ts'

/**
 * Where a list stands: the values of its order in the last row seen, the first of them deciding. Lists go newest first,
 * so that what follows is below.
 */
export type Place = readonly number[]

/**
 * The cursor of what follows a place. The name of the list is in it too, so that a cursor of another list is refused
 * instead of taken for a place in this one.
 */
export function cursorOf(list: string, place: Place): string {
  return Buffer.from(`${list} ${place.join(' ')}`).toString('base64url')
}

/** The place in a cursor of the list, whose places have so many values. Throws StoreError `invalid_cursor`. */
export function placeOf(list: string, cursor: string, length: number): Place {
  const [name, ...digits] = Buffer.from(cursor, 'base64url').toString().split(' ')
  const place = digits.map(Number)
  if (name !== list || place.length !== length || !place.every(Number.isSafeInteger)) {
    throw new StoreError('invalid_cursor', 'The cursor is not one of this list.')
  }
  return place
}

/**
 * The beginning of a list that goes by a time and a number; `until` is where its period ends, without it. A bound beside
 * the place would not do: SQLite takes one of the two into the index, and reads its way down to the other.
 */
export function firstBefore(until: number | undefined): Place {
  return until === undefined ? [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] : [until, -1]
}

/** For lists that go by the number of the row alone: rows below it are those that follow. */
export function belowOf(list: string, cursor: string | undefined): number {
  const [seq] = cursor === undefined ? [] : placeOf(list, cursor, 1)
  return seq ?? Number.MAX_SAFE_INTEGER
}

/** A page of `rows`, which are one more than asked for where another page follows. */
export function pageOfRows<R extends { readonly seq: number }, T>(
  list: string,
  { limit }: PageRequest,
  rows: readonly R[],
  toItem: (row: R) => T,
): Page<T> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const more = rows.length > limit && last !== undefined
  return { items: shown.map(toItem), next_cursor: more ? cursorOf(list, [last.seq]) : null }
}
