/** The commits of the hot path: what was accepted and what came of attempts, of many callers, in one transaction. */
import {
  type Accepted,
  acceptNew,
  fireAll,
  lanesOf,
  type NewAcceptance,
} from '#server/store/accept.ts'
import { type Lease, newClaimId, nextDueIn } from '#server/store/claim.ts'
import { type Finish, finishInto } from '#server/store/finish.ts'
import { lockLanes } from '#server/store/lanes.ts'
import type { Handover, Lead } from '#server/store/new-deliveries.ts'
import { holdFences } from '#server/store/ownerships.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Store, Trx } from '#server/store/store.ts'

/** What one caller wants committed. */
export type Commit = { readonly accept: NewAcceptance } | { readonly finish: Finish }

/** Takes deliveries as soon as they are accepted: the deliverer of this process. */
export interface Courier {
  /** How many it would take, and how many of one webhook beyond its concurrency. */
  readonly room: () => Pick<Lead, 'limit' | 'ahead'>
  readonly take: (leases: readonly Lease[]) => void
}

export interface CommitRequest {
  readonly accepts: readonly NewAcceptance[]
  readonly finishes: readonly Finish[]
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
  const fired = await fireAll(trx, context, accepts)
  await holdFences(trx, context.facts, accepts)
  const lanes = [...finishes.map(({ webhookId }) => webhookId), ...lanesOf(fired)]
  await lockLanes(trx, context.facts, lanes)
  const finished = finishes.length > 0 ? await finishInto(trx, context, finishes) : []
  const { accepted, handovers } =
    accepts.length > 0
      ? await acceptNew(trx, context, accepts, fired, lead)
      : { accepted: [], handovers: [] }
  return { accepted, handovers, finished, nextDue: await nextDueIn(trx, { failingLimit: 1 }) }
}

/** Commits all of them or none, and gives each its answer: `Accepted`, or whether the end was written. */
export async function commitTogether(
  store: Pick<Store, 'transact' | 'ringDue' | 'courier' | 'node'>,
  commits: readonly Commit[],
): Promise<readonly (Accepted | boolean)[]> {
  const accepts = commits.flatMap((one) => ('accept' in one ? [one.accept] : []))
  const finishes = commits.flatMap((one) => ('finish' in one ? [one.finish] : []))
  const { courier } = store
  const claimId = newClaimId(store.node)
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
