import type { Selectable } from 'kysely'
import type { Breaker } from '#server/domain/breaker.ts'
import type { Tables } from '#server/store/schema.ts'

/** The columns of a lane that hold its circuit breaker. */
export type BreakerColumns = Pick<
  Selectable<Tables['lane']>,
  'failures' | 'failing_since' | 'breaker' | 'breaker_until' | 'breaker_reason' | 'breaker_opens'
>

export function breakerColumns(breaker: Breaker): BreakerColumns {
  return {
    failures: breaker.failures,
    failing_since: breaker.failingSince,
    breaker: breaker.state,
    breaker_until: breaker.until,
    breaker_reason: breaker.reason,
    breaker_opens: breaker.opens,
  }
}

export function breakerOf(row: BreakerColumns): Breaker {
  return {
    state: row.breaker,
    failures: row.failures,
    failingSince: row.failing_since,
    until: row.breaker_until,
    reason: row.breaker_reason,
    opens: row.breaker_opens,
  }
}
