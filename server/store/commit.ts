/** The commits of the hot path: what was accepted and what came of attempts, of many callers, in one transaction. */
import {
  type Accepted,
  fireAll,
  insertEvents,
  insertParts,
  lanesOf,
  likelyLanes,
  type NewAcceptance,
  rowsOf,
  storeCaptures,
} from '#server/store/accept.ts'
import { type Lease, newClaimId, nextDueIn } from '#server/store/claim.ts'
import { type FlatFinish, freeSlots, moveDeliveries, recordEnds } from '#server/store/finish.ts'
import { lockLanes } from '#server/store/lanes.ts'
import {
  type Chosen,
  choose,
  type Handover,
  insertDeliveries,
  type LaneState,
  type Lead,
  type NewDelivery,
  nothingLeased,
  openLanes,
} from '#server/store/new-deliveries.ts'
import { holdFences } from '#server/store/ownerships.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { together } from '#server/store/together.ts'

/** What one caller wants committed. */
export type Commit = { readonly accept: NewAcceptance } | { readonly finish: FlatFinish }

export interface CommitRequest {
  readonly accepts: readonly NewAcceptance[]
  readonly finishes: readonly FlatFinish[]
  readonly lead: Lead | null
}

export interface Committed {
  readonly accepted: readonly Accepted[]
  readonly handovers: readonly Handover[]
  readonly finished: readonly boolean[]
  /** As in `Claim`. */
  readonly nextDue: number | null
}

/**
 * The transaction. Ends before beginnings: they free the room. What others may hold is taken first, fences and then
 * lanes, all of them in one order: of two nodes that commit at once neither waits for the other while it is waited for.
 */
export async function commitInto(
  trx: Trx,
  context: ProcedureContext,
  { accepts, finishes, lead }: CommitRequest,
): Promise<Committed> {
  const lanes = [...finishes.map(({ webhookId }) => webhookId), ...likelyLanes(context, accepts)]
  const [fired, , , finished, numbers] = await together(
    fireAll(trx, context, accepts),
    holdFences(trx, context.facts, accepts),
    lockLanes(trx, context.facts, lanes),
    moveDeliveries(trx, context, finishes),
    insertEvents(trx, context, accepts),
  )
  // Of webhooks that were changed a moment ago, and of accounts that are new to this process.
  const others = new Set(lanesOf(fired))
  for (const lane of lanes) others.delete(lane)
  await lockLanes(trx, context.facts, [...others])
  const ended = finishes.filter((_, i) => finished[i])
  const made = rowsOf(accepts, fired, numbers)
  const [freed, open] = await together(
    freeSlots(trx, context, ended),
    lead === null ? Promise.resolve([]) : openLanes(trx, context, made.deliveries, lead),
    insertParts(trx, context, made),
  )
  const chosen = chooseLeased(context, made.deliveries, open, ended, lead)
  const [, handovers] = await together(
    recordEnds(trx, context, ended, freed),
    insertDeliveries(trx, context, chosen, lead?.claimId),
    storeCaptures(trx, context, accepts),
  )
  const waits =
    chosen.some(({ webhook }) => webhook === null) ||
    ended.some(({ outcome }) => !outcome.ok) ||
    freed.some((lane) => lane.next_due !== null)
  const nextDue = waits ? await nextDueIn(trx, { troubledLimit: 1 }) : null
  return { accepted: made.accepted, handovers, finished, nextDue }
}

/** Nothing of a webhook that has just failed: its lane was read before that was written into it. */
function chooseLeased(
  context: ProcedureContext,
  deliveries: readonly NewDelivery[],
  open: readonly LaneState[],
  ended: readonly FlatFinish[],
  lead: Lead | null,
): readonly Chosen[] {
  if (lead === null) return nothingLeased(deliveries)
  const failed = new Set(ended.flatMap((one) => (one.outcome.ok ? [] : [one.webhookId])))
  const well = open.filter((lane) => !failed.has(lane.webhook_id))
  return choose(context, deliveries, well, lead)
}

/** Commits all of them or none, and gives each its answer: `Accepted`, or whether the end was written. */
export async function commitTogether(
  store: Pick<Store, 'transact' | 'ringDue' | 'courier' | 'holder'>,
  commits: readonly Commit[],
): Promise<readonly (Accepted | boolean)[]> {
  const accepts = commits.flatMap((one) => ('accept' in one ? [one.accept] : []))
  const finishes = commits.flatMap((one) => ('finish' in one ? [one.finish] : []))
  const { courier } = store
  const claimId = newClaimId(store.holder())
  const lead = courier === null || accepts.length === 0 ? null : { claimId, ...courier.room() }
  const done = await store.transact('commit', 'soon', { accepts, finishes, lead })
  if (done.handovers.length > 0) {
    courier?.take(done.handovers.map((one) => leaseOf(one, accepts, claimId)))
  }
  if (done.nextDue !== null) store.ringDue(done.nextDue)
  const answers = { accepted: done.accepted.values(), finished: done.finished.values() }
  return commits.map((one) => {
    const { value } = 'accept' in one ? answers.accepted.next() : answers.finished.next()
    if (value === undefined) throw new Error('a commit has no answer')
    return value
  })
}

function leaseOf(
  { from: [i, j], deliverySeq, eventDay, call, webhook }: Handover,
  accepts: readonly NewAcceptance[],
  claimId: string,
): Lease {
  const event = accepts[i]?.events[j]
  if (event === undefined) throw new Error('a delivery of no event was handed over')
  const { id, type, body } = event
  const own = { deliverySeq, claimId, webhook, eventDay, call }
  return { ...own, event: { id, type, body }, attempts: 0, roundAttempts: 0, resends: 0 }
}
