import { type RawBuilder, sql } from 'kysely'

/** Attempts of other deliveries were made within this time after their delivery. */
export const lateMs = 600_000

/**
 * A delivery that may have attempts of long after it was made: tried again, sent again, or kept waiting. Of those that
 * nothing is wrong with none is, so that the index over them (`delivery_late`) costs nothing on the way of an event.
 * Queries spell it exactly like the index, but for the name of the table before the columns.
 */
const late = (table: string): RawBuilder<boolean> =>
  sql.raw(`(${table}resends > 0 or (${table}finished_at is null and ${table}attempts > 0)
    or ${table}finished_at > ${table}created_at + ${lateMs})`)

export const lateInIndex = late('')
export const isLate = late('delivery.')
