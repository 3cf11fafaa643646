/**
 * Searches read a list window by window: so many candidates from an index in the order of the list, of which those are
 * kept that match the rest of the search. A search that finds little would read the whole list otherwise, in one
 * statement that nobody can interrupt, while every other reader waits.
 *
 *   page ── window ── window ── … ──> full, or the list ends, or the time is over: then the cursor says where to go on
 */
import type { Page, PageRequest } from '#contracts/page.ts'
import { cursorOf, type Place, placeOf } from '#server/store/page.ts'

export interface Window<R> {
  /** In the order of the list; at most as many as were asked for. */
  readonly rows: readonly R[]
  /** Where the next window begins; null: the list ends with this one. Of no meaning where `rows` are all asked for. */
  readonly next: Place | null
}

/** One way through a list. */
export interface Walk<R> {
  /** The beginning. */
  readonly first: Place
  /** At most `limit` rows below the place. */
  readonly read: (from: Place, limit: number) => Promise<Window<R>>
  readonly placeOf: (row: R) => Place
}

/** How many candidates a window has: some ten milliseconds of a database that has them in memory. */
export const windowSize = 2_000
/** How long one page may take; what was found till then is the page, and the cursor goes on from there. */
const pageMs = 1_500

export async function walkPage<R>(
  list: string,
  { first, read, placeOf: place }: Walk<R>,
  { limit, cursor }: PageRequest,
): Promise<Page<R>> {
  const until = performance.now() + pageMs
  const rows: R[] = []
  let from: Place | null = cursor === undefined ? first : placeOf(list, cursor, first.length)
  do {
    // One more than shown says whether anything follows.
    const window: Window<R> = await read(from, limit + 1 - rows.length)
    rows.push(...window.rows)
    from = window.next
  } while (from !== null && rows.length <= limit && performance.now() < until)
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  if (rows.length > limit && last !== undefined) from = place(last)
  return { items, next_cursor: from === null ? null : cursorOf(list, from) }
}
