/** The way of one leased delivery: its request, the attempt, what came of it written down. */
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { nextState } from '#server/domain/next-state.ts'
import { redactHeaders } from '#server/domain/redact.ts'
import type { Renderer, WebhookRequest } from '#server/domain/render/render.ts'
import { signatureHeaders } from '#server/domain/sign.ts'
import { plainIdentity } from '#server/outbound/tls-identity.ts'
import { type Deliverer, findRoom, giveBack, release } from '#server/pipeline/deliverer.ts'
import { retryUntil } from '#server/pipeline/retry-until.ts'
import type { Lease } from '#server/store/claim.ts'
import { type Finish, finishAttempt } from '#server/store/finish.ts'
import { returnLeases } from '#server/store/reap.ts'
import { isRefusalOfAll, StoreError } from '#server/store/store-error.ts'
import { readSigningSecrets } from '#server/store/webhook-row.ts'

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
  let made: Awaited<ReturnType<typeof attempt>> = null
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
  const { request, renderer, outcome } = made
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
      outcome,
      method: request.method,
      url: request.url,
      requestHeaders: redactHeaders(request.headers, renderer.secretHeaders),
      requestBody: renderer.native ? null : request.body,
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

interface Made {
  readonly request: WebhookRequest
  readonly renderer: Renderer
  readonly outcome: AttemptOutcome
}

/** Null: the failure was ours and not the receiver's; it counts as no attempt, the delivery is put off a little. */
async function attempt(deliverer: Deliverer, lease: Lease, at: number): Promise<Made | null> {
  const { deps, now, signal } = deliverer
  try {
    const found = deliverer.renderers.of(lease.webhook)
    const renderer = found instanceof Promise ? await found : found
    const request = signedRequest(deliverer, lease, renderer, at)
    const { timeoutMs, tlsVersion } = lease.webhook
    const identity =
      tlsVersion === null ? plainIdentity : await deliverer.identities.of(lease.webhook, tlsVersion)
    const outcome = await deps.sender.attempt(request, { timeoutMs, identity })
    return { request, renderer, outcome: withoutSecrets(outcome) }
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
  renderer: Renderer,
  at: number,
): WebhookRequest {
  const { headers, ...request } = renderer.render(event.body)
  const signature = renderer.signed
    ? signatureHeaders({ id: event.id, at, body: request.body }, signingSecrets(deliverer, webhook))
    : {}
  // A receiver that keeps the ids it has seen would else take what somebody sent again on purpose for a repetition.
  const resend = resends > 0 ? { 'webhook-resend': String(resends) } : {}
  return { ...request, headers: { ...headers, ...signature, ...resend } }
}

/** As many as there may be busy webhooks; the rest are decrypted again when they fire. */
const secretsKept = 10_000

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
