/** Fragments that the statements of the queue share; each speaks of the row of `lane` that is being updated. */
import { type RawBuilder, sql } from 'kysely'

/** Due time of the earliest pending delivery of the lane that is due after the given time; null when there is none. */
export function earliestDue(after: number): RawBuilder<number | null> {
  // Two seeks, one for each turn; a condition over both would scan the lane.
  return sql`(select min(waiting.due) from (
    select min(due_at) as due from delivery
      where webhook_id = lane.webhook_id and state = 'pending' and turn = 0 and due_at > ${after}
    union all
    select min(due_at) from delivery
      where webhook_id = lane.webhook_id and state = 'pending' and turn = 1 and due_at > ${after}
  ) as waiting)`
}

/**
 * When the lane should be looked at after something happened to it: at the earliest pending delivery, but never
 * before `now`. A lane that has just been served goes to the end of the line although its oldest delivery has been
 * due for a week: that is what makes the line fair.
 */
export function dueAgain(now: number): RawBuilder<number | null> {
  const earliest = earliestDue(-1)
  return sql`case when lane.held = 1 then null else (
    select case when earliest.due < ${now} then ${now} else earliest.due end
    from (select ${earliest} as due) as earliest
  ) end`
}
