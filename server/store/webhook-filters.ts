/** The filters of a webhook in its row; most have none, which takes no room. */
import { isDeepStrictEqual } from 'node:util'
import { type Filters, noFilters } from '#contracts/webhook/filters.ts'

/** JSON; null: none is set. */
export function filtersColumn(filters: Filters): string | null {
  return isDeepStrictEqual(filters, noFilters) ? null : JSON.stringify(filters)
}

export function filtersOf(column: string | null): Filters {
  return column === null ? noFilters : (JSON.parse(column) as Filters)
}
