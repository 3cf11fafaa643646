/** Step 2 of the claim (`claim.ts`): the due deliveries at the heads of some lanes. */
import type { EventType } from '#contracts/events/catalogue.ts'
import type { RunBatch, Select } from '#server/store/batch.ts'
import { type CallOrder, inOrder } from '#server/store/claim-order.ts'
import type { Trx } from '#server/store/store.ts'

/** A lane to look into. */
export interface LaneHead extends CallOrder {
  readonly id: string
  /** The most deliveries to find. */
  readonly limit: number
  /** And the most of them that may be other than first tries. */
  readonly laterLimit: number
  /** The caller lets the first tries of a call wait for each other itself. */
  readonly inMemory: boolean
}

export interface DueDelivery {
  readonly seq: number
  readonly webhook_id: string
  readonly turn: 0 | 1
  readonly attempts: number
  readonly round_attempts: number
  readonly resends: number
  readonly event_seq: number
  readonly event_day: number
  readonly call_uuid: string | null
  readonly event_id: string
  readonly event_type: EventType
}

/** What of the lanes is due at `now`: of each first tries, and what comes later, up to its limits; in no order. */
export async function findDue(
  trx: Trx,
  batch: RunBatch,
  lanes: readonly LaneHead[],
  now: number,
): Promise<readonly DueDelivery[]> {
  const kinds = Map.groupBy(lanes, (lane) => {
    const { delivery_order, on_exhausted, inMemory } = lane
    return `${delivery_order} ${on_exhausted} ${inMemory}`
  })
  const found: DueDelivery[] = []
  for (const ofKind of kinds.values()) {
    const [first] = ofKind
    if (first === undefined) continue
    const rows = ofKind.map(({ id, limit, laterLimit }) => [id, now, limit, laterLimit])
    found.push(...(await batch.select<DueDelivery>(trx, dueOf(first), rows)))
  }
  return found
}

const columns = `d.seq, d.webhook_id, d.turn, d.attempts, d.round_attempts, d.resends, d.event_seq,
  d.event_day, d.call_uuid`

/**
 * For each lane two arms, each with the lane's own limit: an arm reads a few rows from the head of a partial index.
 * (One window function over all lanes would read every due row of every lane.) The text depends on the kind of lane
 * alone, so that it stays prepared: made for the lanes of each claim it cost more to prepare than to run.
 */
const dueOf = (kind: Pick<LaneHead, keyof CallOrder | 'inMemory'>): Select => ({
  columns: { webhook: 'text', now: 'bigint', limit: 'bigint', later: 'bigint' },
  statement: (of, from) => {
    const arm = (turn: 0 | 1, limit: string) => `
      select ${columns} from delivery as d
      where d.webhook_id = ${of('webhook')} and d.state = 'pending' and d.turn = ${turn}
        and d.due_at <= ${of('now')} ${inOrder(kind, turn, kind.inMemory)}
      order by d.due_at, d.seq limit ${limit}`
    return `
      select c.*, event.id as event_id, event.type as event_type
      ${from === '' ? 'from' : `${from} cross join lateral`} (
        select * from (${arm(0, of('limit'))}) as first_tries
        union all select * from (${arm(1, of('later'))}) as later_tries
      ) as c join event on event.seq = c.event_seq`
  },
})
