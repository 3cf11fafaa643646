import type { Page, PageRequest } from '#contracts/page.ts'
import { StoreError } from '#server/store/store-error.ts'

/**
 * Lists go newest first by the number that the database gave each row; the cursor is that of the last row seen. The
 * name of the list is in it too, so that a cursor of another list is refused instead of taken for a place in this one.
 */
export function cursorOf(list: string, seq: number): string {
  return Buffer.from(`${list} ${seq}`).toString('base64url')
}

/** Rows below this number are those that follow. Throws StoreError `invalid_cursor`. */
export function belowOf(list: string, cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER
  const [name, digits] = Buffer.from(cursor, 'base64url').toString().split(' ')
  const seq = Number(digits)
  if (name !== list || digits === undefined || !Number.isSafeInteger(seq)) {
    throw new StoreError('invalid_cursor', 'The cursor is not one of this list.')
  }
  return seq
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
  return { items: shown.map(toItem), next_cursor: more ? cursorOf(list, last.seq) : null }
}
