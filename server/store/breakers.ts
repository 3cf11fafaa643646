import { sql } from 'kysely'
import { afterOutcome, type Breaker, type BreakerOutcome } from '#server/domain/breaker.ts'
import { type BreakerColumns, breakerColumns, breakerOf } from '#server/store/breaker-columns.ts'
import { dueAgain } from '#server/store/lanes.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Trx } from '#server/store/store.ts'

export interface LaneBreaker extends BreakerColumns {
  readonly webhook_id: string
}

/** An outcome, and of which webhook. */
interface Tried {
  readonly webhookId: string
  readonly outcome: BreakerOutcome
  /** Epoch milliseconds. */
  readonly now: number
}

/**
 * Moves the circuit breakers on by what came of attempts, in that order. `lanes` are the rows as they are, locked by
 * this transaction. Returns the breakers that are not closed now, by webhook. Lanes that were well and are well cost
 * no statement.
 */
export async function moveBreakers(
  trx: Trx,
  { facts }: ProcedureContext,
  lanes: readonly LaneBreaker[],
  tried: readonly Tried[],
): Promise<ReadonlyMap<string, Breaker>> {
  const open = new Map<string, Breaker>()
  const rows: object[] = []
  for (const lane of lanes) {
    const before = breakerOf(lane)
    const mine = tried.filter(({ webhookId }) => webhookId === lane.webhook_id)
    const after = mine.reduce(
      (breaker, { outcome, now }) => afterOutcome(breaker, outcome, now, Math.random()),
      before,
    )
    if (after.state !== 'closed') open.set(lane.webhook_id, after)
    if (after.failures === 0 && before.failures === 0) continue
    rows.push({ webhook: lane.webhook_id, ...breakerColumns(after) })
  }
  if (rows.length === 0) return open
  const now = Math.max(...tried.map((one) => one.now))
  await sql`
    update lane set failures = e.failures, failing_since = e.failing_since, breaker = e.breaker,
      breaker_until = e.breaker_until, breaker_reason = e.breaker_reason,
      breaker_opens = e.breaker_opens,
      next_due = ${dueAgain(now, sql`case when e.breaker = 'open' then e.breaker_until end`)}
    from (
      select r.value ->> 'webhook' as webhook, cast(r.value ->> 'failures' as integer) as failures,
        cast(r.value ->> 'failing_since' as bigint) as failing_since,
        r.value ->> 'breaker' as breaker,
        cast(r.value ->> 'breaker_until' as bigint) as breaker_until,
        r.value ->> 'breaker_reason' as breaker_reason,
        cast(r.value ->> 'breaker_opens' as integer) as breaker_opens
      from ${facts.rowsOf(JSON.stringify(rows), 'r')}
    ) as e
    where lane.webhook_id = e.webhook`.execute(trx)
  return open
}
