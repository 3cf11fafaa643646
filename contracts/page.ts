import { z } from 'zod'
import { listFormats } from '#contracts/export.ts'

/**
 * Cursor paging: every list answers newest first, at most `limit` items, and the cursor of what follows.
 * A cursor names the last item seen and not a number of items, so that new rows shift nothing.
 */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(50)
    .meta({ description: 'How many items at most.' }),
  cursor: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .meta({ description: 'next_cursor of the page before; absent: from the newest.' }),
}

/** The query of a list that can also be had as a whole. */
export const listQuery = {
  ...pageQuery,
  format: z.enum(listFormats).optional().meta({
    description:
      'csv or ndjson: the whole list as a stream, without limit and cursor. Else as the header Accept says.',
  }),
}

/** What a list asks for: the values of `pageQuery` after parsing. */
export interface PageRequest {
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Opaque; null on the last page. */
  readonly next_cursor: string | null
}

/** The schema of one page of `item`. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({
      description:
        'Pass it as cursor to get the next page; null: this is the last. A page can hold fewer items than limit, even none, and still not be the last: a search that finds little answers within two seconds with what it has.',
    }),
  })
