/** The way of one leased delivery: its request, the attempt, what came of it written down. */
import { nextState } from '#server/domain/next-state.ts'
import { type Deliverer, findRoom, giveBack, release } from '#server/pipeline/deliverer.ts'
import { retryUntil } from '#server/pipeline/retry-until.ts'
import { type Sent, send } from '#server/pipeline/send.ts'
import type { Lease } from '#server/store/claim.ts'
import { type Finish, finishAttempt } from '#server/store/finish.ts'
import { isRefusalOfAll, StoreError } from '#server/store/store-error.ts'

/** Our own failures (no file descriptors left) pass; each try costs little. */
const ownFailurePauseMs = 5_000
export function start(deliverer: Deliverer, lease: Lease): void {
  deliverer.leased.set(lease, workOn(deliverer, lease))
}

async function workOn(deliverer: Deliverer, lease: Lease): Promise<void> {
  try {
    await deliver(deliverer, lease)
  } catch (error) {
    const facts = { err: error, event: lease.event.id }
    deliverer.deps.log.error(facts, 'deliver: an attempt was not written down')
  } finally {
    release(deliverer, lease)
  }
}

async function deliver(deliverer: Deliverer, lease: Lease): Promise<void> {
  const { deps, now, line } = deliverer
  const startedAt = deps.now()
  let made: Sent | null = null
  try {
    made = await attempt(deliverer, lease, startedAt)
  } finally {
    // Before its slot is free: what follows it in its call must not go from memory where it was put off by our own failure,
    // and what its receiver takes is not as quick any more where it failed; the rest is for the lane to rule.
    if (made === null || !made.outcome.ok) {
      void giveBack(deliverer, line.takeBack(lease.webhook.id))
    }
    line.ended(lease)
  }
  if (made === null) return
  const { outcome } = made
  const { retries, id: webhookId } = lease.webhook
  const number = lease.attempts + 1
  const at = now()
  const finish: Finish = {
    deliverySeq: lease.deliverySeq,
    eventDay: lease.eventDay,
    claimId: lease.claimId,
    webhookId,
    attempt: {
      number,
      resend: lease.resends,
      startedAt,
      ...made,
    },
    next: nextState(outcome, {
      attemptsDone: lease.roundAttempts + 1,
      attemptsEver: number,
      probe: lease.webhook.probe,
      retries,
      now: at,
      random: Math.random(),
    }),
    disableAfterMs: deps.disableAfterMs,
    now: at,
  }
  const written = await writeDown(deliverer, finish)
  if (!written) {
    // Others have the lease, and perhaps all of this process's: what is still waiting here is not for it to send.
    void giveBack(deliverer, line.takeBack(webhookId))
    const facts = { webhook: webhookId, event: lease.event.id }
    deps.log.warn(facts, 'deliver: an attempt ended after its lease, the event is sent again')
  }
}

/** False: the lease is not ours any more. While the database takes no writes, no further request begins. */
async function writeDown(deliverer: Deliverer, finish: Finish): Promise<boolean> {
  const { deps, line, signal } = deliverer
  let waits = false
  const failed = (err: unknown) => {
    const facts = { err, webhook: finish.webhookId, delivery: finish.deliverySeq }
    deps.log.error(facts, 'deliver: the outcome of an attempt cannot be written, trying again')
    // An outcome that is refused by itself must not stop all others.
    if (waits || !(err instanceof StoreError && isRefusalOfAll(err))) return
    waits = true
    deliverer.unwritten += 1
  }
  try {
    return await retryUntil(signal, () => finishAttempt(deps.store, finish), { failed })
  } finally {
    if (waits) deliverer.unwritten -= 1
    if (waits && deliverer.unwritten === 0) {
      line.pump()
      findRoom(deliverer)
    }
  }
}

/** A receiver that keeps the ids it has seen would else take what somebody sent again on purpose for a repetition. */
const marksOf = ({ resends }: Lease) =>
  resends > 0 ? { 'webhook-resend': String(resends) } : nothingMarked
const nothingMarked = {}

/** Null: the failure was ours and not the receiver's; it counts as no attempt, the delivery is put off a little. */
async function attempt(deliverer: Deliverer, lease: Lease, at: number): Promise<Sent | null> {
  const { deps, now, sending, signal } = deliverer
  try {
    return await send(sending, lease.webhook, lease.event, marksOf(lease), at)
  } catch (error) {
    const facts = { err: error, webhook: lease.webhook.id, event: lease.event.id }
    deps.log.error(facts, 'deliver: the request could not be made')
    // At a stop the drain returns it.
    if (!signal.aborted) await giveBack(deliverer, [lease], now() + ownFailurePauseMs)
    return null
  }
}
