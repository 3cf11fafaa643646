/**
 * The deliverer: claims what is due, sends it, writes down what came of it.
 *
 *   claim (up to 64, leased) ──> attempt (one HTTP request each, side by side) ──> finish (batched commit)
 *     ^                                                                               │
 *     └── woken by: an event accepted, a lane freed, the next due time, a second passed
 *
 * What happens when: kill -9: the leases are returned at the next start, and the same `webhook-id` goes out again.
 * Disk full: outcomes wait in their slots and are written when there is space; nothing new is claimed meanwhile, since
 * a claim is a write too. A slow receiver: takes the slots of its own lane only. Many failing receivers: share half of all slots, so
 * that the healthy ones have the other. Clock set back or ahead: see `steady-clock.ts`.
 */
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { nextState } from '#server/domain/next-state.ts'
import { redactHeaders } from '#server/domain/redact.ts'
import { renderRequest, type WebhookRequest } from '#server/domain/render.ts'
import { signatureHeaders } from '#server/domain/sign.ts'
import type { Sender } from '#server/outbound/attempt.ts'
import { plainIdentity } from '#server/outbound/tls-identity.ts'
import { createDoorbell } from '#server/pipeline/doorbell.ts'
import { retryUntil } from '#server/pipeline/retry-until.ts'
import { steadyClock } from '#server/pipeline/steady-clock.ts'
import { createTlsIdentities, type TlsIdentities } from '#server/pipeline/tls-identities.ts'
import { type Claim, claimDue, type Lease } from '#server/store/claim.ts'
import { type Finish, finishAttempt } from '#server/store/finish.ts'
import { reapAtStart, reapLeases, returnLeases } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import { readSigningSecrets } from '#server/store/webhooks.ts'

export interface DeliverDeps {
  readonly store: Store
  readonly sender: Pick<Sender, 'attempt'>
  /** Offhook's version, for the header `User-Agent`. */
  readonly version: string
  /** Requests to all receivers together that may be under way. */
  readonly maxInFlight: number
  /** After how much time of nothing but failures a webhook is disabled; null: never. */
  readonly disableAfterMs: number | null
  /** How long a stop waits for requests under way; what is not over then is sent again after the next start. */
  readonly stopMs: number
  readonly log: {
    readonly info: (facts: object, message: string) => void
    readonly warn: (facts: object, message: string) => void
    readonly error: (facts: object, message: string) => void
  }
  /** Epoch milliseconds of the wall clock. */
  readonly now: () => number
}

/** Enough to share a commit among; small enough that a claim takes a few milliseconds. */
const claimAtOnce = 64
/** The loop looks at the clock at least this often: a machine that slept, a clock that was set. */
const longestWaitMs = 1_000
const reapEveryMs = 10_000
/** Due, and yet nothing to be had: another transaction has the lane in hand, for as long as a commit takes. */
const passedOverMs = 5
/** Our own failures (no file descriptors left) pass; each try costs little. */
const ownFailurePauseMs = 5_000

interface Deliverer {
  readonly deps: DeliverDeps
  readonly now: () => number
  readonly underWay: Map<Lease, Promise<void>>
  readonly secrets: Map<string, readonly string[]>
  readonly identities: TlsIdentities
  readonly signal: AbortSignal
}

/** Runs until the signal aborts, then waits for what is under way up to `stopMs` and returns the rest. */
export async function runDeliver(deps: DeliverDeps, signal: AbortSignal): Promise<void> {
  const deliverer: Deliverer = {
    deps,
    now: steadyClock(deps.now, () => performance.now()),
    underWay: new Map(),
    secrets: new Map(),
    identities: createTlsIdentities(deps.store),
    signal,
  }
  const doorbell = createDoorbell()
  const forget = deps.store.onDue(doorbell.ring)
  let reapAt = 0
  while (!signal.aborted) {
    try {
      if (performance.now() >= reapAt) {
        await reap(deliverer, reapAt === 0)
        reapAt = performance.now() + reapEveryMs
      }
      const waitMs = await claimAndStart(deliverer)
      if (waitMs > 0) await doorbell.wait(waitMs, signal)
    } catch (error) {
      deps.log.error({ err: error }, 'deliver: the database refused, trying again')
      await doorbell.wait(longestWaitMs, signal)
    }
  }
  forget()
  await drain(deliverer)
}

async function reap({ deps, now, underWay }: Deliverer, first: boolean): Promise<void> {
  const returned = first
    ? await reapAtStart(deps.store, now())
    : await reapLeases(deps.store, [...underWay.keys()], now())
  if (returned > 0)
    deps.log.warn({ deliveries: returned }, 'deliver: leases without a process returned')
}

/** Returns for how many milliseconds there is nothing to claim; 0: there may be more right now. */
async function claimAndStart(deliverer: Deliverer): Promise<number> {
  const { deps, now, underWay } = deliverer
  const free = deps.maxInFlight - underWay.size
  // A slot that becomes free rings.
  if (free <= 0) return longestWaitMs
  const limit = Math.min(free, claimAtOnce)
  const failing = [...underWay.keys()].filter((lease) => lease.webhook.failing).length
  const failingLimit = Math.max(0, Math.ceil(deps.maxInFlight / 2) - failing)
  const claim = await claimDue(deps.store, { now: now(), limit, failingLimit })
  for (const lease of claim.leases) start(deliverer, lease)
  return waitOf(claim, now())
}

function waitOf({ nextDue, leases }: Claim, now: number): number {
  if (nextDue === null) return longestWaitMs
  const least = leases.length === 0 ? passedOverMs : 0
  return Math.min(Math.max(nextDue - now, least), longestWaitMs)
}

function start(deliverer: Deliverer, lease: Lease): void {
  const { deps, underWay } = deliverer
  const work = deliver(deliverer, lease).catch((error: unknown) => {
    deps.log.error(
      { err: error, event: lease.event.id },
      'deliver: an attempt was not written down',
    )
  })
  underWay.set(
    lease,
    work.finally(() => {
      underWay.delete(lease)
      deps.store.ringDue()
    }),
  )
}

async function deliver(deliverer: Deliverer, lease: Lease): Promise<void> {
  const { deps, now, signal } = deliverer
  const startedAt = deps.now()
  const made = await attempt(deliverer, lease, startedAt)
  if (made === null) return
  const { request, outcome } = made
  const number = lease.attempts + 1
  const { retries, id: webhookId } = lease.webhook
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
      outcome,
      method: request.method,
      url: request.url,
      requestHeaders: redactHeaders(request.headers),
      requestBody: null,
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
  const written = await retryUntil(signal, async () => await finishAttempt(deps.store, finish), {
    failed: (error) => {
      const facts = { err: error, webhook: webhookId, event: lease.event.id }
      deps.log.error(facts, 'deliver: the outcome of an attempt cannot be written, trying again')
    },
  })
  if (!written) {
    const facts = { webhook: webhookId, event: lease.event.id }
    deps.log.warn(facts, 'deliver: an attempt ended after its lease, the event is sent again')
  }
}

/** Null: the failure was ours and not the receiver's; it counts as no attempt, the delivery is put off a little. */
async function attempt(
  deliverer: Deliverer,
  lease: Lease,
  at: number,
): Promise<{ readonly request: WebhookRequest; readonly outcome: AttemptOutcome } | null> {
  const { deps, now, signal } = deliverer
  try {
    const request = signedRequest(deliverer, lease, at)
    const { timeoutMs, tlsVersion } = lease.webhook
    const identity =
      tlsVersion === null ? plainIdentity : await deliverer.identities.of(lease.webhook, tlsVersion)
    const outcome = await deps.sender.attempt(request, { timeoutMs, identity })
    return { request, outcome: withoutSecrets(outcome) }
  } catch (error) {
    const facts = { err: error, webhook: lease.webhook.id, event: lease.event.id }
    deps.log.error(facts, 'deliver: the request could not be made')
    const failedAt = now()
    // At a stop the drain returns it.
    if (!signal.aborted) {
      await returnLeases(deps.store, [lease], failedAt, failedAt + ownFailurePauseMs)
    }
    return null
  }
}

/** A receiver may set cookies; what they hold is nobody's business who reads the log. */
function withoutSecrets(outcome: AttemptOutcome): AttemptOutcome {
  const { responseHeaders } = outcome
  return responseHeaders === null
    ? outcome
    : { ...outcome, responseHeaders: redactHeaders(responseHeaders) }
}

/** Receivers compare the signature's time with their own clock, so it is the wall clock's. */
function signedRequest(
  deliverer: Deliverer,
  { event, webhook, resends }: Lease,
  at: number,
): WebhookRequest {
  const request = renderRequest(event.body, webhook, deliverer.deps.version)
  const secrets = signingSecrets(deliverer, webhook)
  const signature = signatureHeaders({ id: event.id, at, body: request.body }, secrets)
  // A receiver that keeps the ids it has seen would else take what somebody sent again on purpose for a repetition.
  const resend = resends > 0 ? { 'webhook-resend': String(resends) } : {}
  return { ...request, headers: { ...request.headers, ...signature, ...resend } }
}

/** As many as there may be busy webhooks; the rest are decrypted again when they fire. */
const secretsKept = 1_000

function signingSecrets(
  { deps, secrets }: Deliverer,
  { id, sealedSecrets }: Lease['webhook'],
): readonly string[] {
  const known = secrets.get(sealedSecrets)
  if (known !== undefined) return known
  const opened = readSigningSecrets(deps.store, id, sealedSecrets)
  if (secrets.size >= secretsKept) secrets.clear()
  secrets.set(sealedSecrets, opened)
  return opened
}

async function drain({ deps, now, underWay }: Deliverer): Promise<void> {
  const time = Promise.withResolvers<void>()
  const timer = setTimeout(time.resolve, deps.stopMs)
  await Promise.race([Promise.allSettled(underWay.values()), time.promise])
  clearTimeout(timer)
  const left = [...underWay.keys()]
  if (left.length === 0) return
  deps.log.warn({ deliveries: left.length }, 'deliver: requests were not over, they are sent again')
  await returnLeases(deps.store, left, now(), null)
}
