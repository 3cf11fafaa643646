import { z } from 'zod'
import { GivenTime } from '#contracts/events/facts.ts'
import { pageQuery } from '#contracts/page.ts'

/** What work on many objects answers: it is done in small steps, for some seconds in one request. */
export const BulkResult = z
  .object({
    count: z.int().min(0).meta({ description: 'How many it changed or made.' }),
    next_cursor: z.string().nullable().meta({
      description: 'Null: all is done. Else send the same request with it as cursor to go on.',
    }),
  })
  .meta({ id: 'BulkResult' })
export type BulkResult = z.infer<typeof BulkResult>

export const bulkQuery = z.strictObject({
  cursor: pageQuery.cursor.meta({ description: 'next_cursor of the request before, to go on.' }),
})

export const bulkPeriod = z.strictObject({
  since: GivenTime.meta({ description: 'The beginning of the period.' }),
  until: GivenTime.optional().meta({ description: 'Its end; absent: now.' }),
})
