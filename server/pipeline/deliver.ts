/**
 * The deliverer: claims what is due, sends it, writes down what came of it.
 *
 *   accept (leased at once) ──┬──> line (memory) ──> attempt (one HTTP request each, side by side) ──> finish (shared
 *   claim (what waited) ───────┘                       └── over: the next of its lane goes                    commit)
 *     ^
 *     └── woken by: a delivery or a lane that is due, the next due time, a second passed
 *
 * While no other process has anything of a quick webhook leased, it has more leased than slots (`pace.ts`): the next
 * request goes as soon as one is over, and not after a commit and a claim.
 *
 * What happens when: kill -9: the leases are returned at the next start, and the same `webhook-id` goes out again.
 * Disk full, database away: outcomes wait and are written when it takes them; until then no further request begins,
 * since what cannot be written down goes out again after a kill. A slow receiver: takes the slots of its own lane only.
 * Many failing or slow receivers: share half of all slots, so that the others have the other (`slots.ts`). A webhook that
 * is disabled, changed or deleted: what is ahead of its slots goes back before (`setAside`); by another process: it goes
 * out within two seconds, or back. Clock set back or ahead: see
 * `steady-clock.ts`, and over a restart `store/last-time.ts`.
 */
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { nextState } from '#server/domain/next-state.ts'
import { redactHeaders } from '#server/domain/redact.ts'
import { renderRequest, type WebhookRequest } from '#server/domain/render.ts'
import { signatureHeaders } from '#server/domain/sign.ts'
import type { Sender } from '#server/outbound/attempt.ts'
import { plainIdentity } from '#server/outbound/tls-identity.ts'
import { createDoorbell } from '#server/pipeline/doorbell.ts'
import { createLine, type Line } from '#server/pipeline/line.ts'
import { retryUntil } from '#server/pipeline/retry-until.ts'
import { steadyClock } from '#server/pipeline/steady-clock.ts'
import { createTlsIdentities, type TlsIdentities } from '#server/pipeline/tls-identities.ts'
import { claimDue, type Lease } from '#server/store/claim.ts'
import type { Courier, SetAside } from '#server/store/courier.ts'
import { type Finish, finishAttempt } from '#server/store/finish.ts'
import { mendTimes, noteTime } from '#server/store/last-time.ts'
import { reapAtStart, reapLeases, returnLeases } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import { isRefusalOfAll, StoreError } from '#server/store/store-error.ts'
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

/** Small enough that a claim takes a few milliseconds. */
const claimAtOnce = 256
/** The loop looks at the clock at least this often: a machine that slept, a clock that was set. */
const longestWaitMs = 1_000
const reapEveryMs = 10_000
/** Due, and yet nothing to be had: another transaction has the lane in hand, for as long as a commit takes. */
const passedOverMs = 5
/** Our own failures (no file descriptors left) pass; each try costs little. */
const ownFailurePauseMs = 5_000
/** Deliveries in memory beside those under way; about 3 MB of them, as events are. */
const mostAhead = 2_048
/** And no more of them than that, where events are large. */
const mostBytes = 16 * 1024 * 1024
/** Of one webhook: no more than a quick receiver takes in the time of two commits. */
const mostAheadOfOne = 256
/** For a database that answers; one that does not is somebody else's to tell. */
const longestReturnMs = 1_000
/** What has waited so long in memory goes back: its webhook may have been changed or disabled since. */
const longestAheadMs = 2_000

interface Deliverer {
  readonly deps: DeliverDeps
  readonly now: () => number
  /** All that is leased to this process and not written down, with what will have been done with it. */
  readonly leased: Map<Lease, Promise<void> | null>
  readonly line: Line
  /** Bytes of the bodies of all that is leased. */
  bytes: number
  /** Outcomes that the database does not take for now. */
  unwritten: number
  /** From when on a claim may find something, epoch milliseconds. */
  lookAt: number
  /** A claim found no room; what ends next rings. */
  full: boolean
  readonly ring: () => void
  readonly secrets: Map<string, readonly string[]>
  readonly identities: TlsIdentities
  readonly signal: AbortSignal
  /** Webhooks that have leases on their way back to the database, with how many returns there are. */
  readonly returning: Map<string, number>
  /** Those returns. */
  readonly returns: Set<Promise<void>>
  /** Webhooks of which nothing may leave, by whoever wants it so; `cameBack`: what was leased since, on its way back. */
  readonly aside: Map<string, readonly { readonly cameBack: Promise<void>[] }[]>
}

/** Runs until the signal aborts, then waits for what is under way up to `stopMs` and returns the rest. */
export async function runDeliver(deps: DeliverDeps, signal: AbortSignal): Promise<void> {
  const doorbell = createDoorbell()
  const now = steadyClock(deps.now, () => performance.now())
  const deliverer: Deliverer = {
    deps,
    now,
    leased: new Map(),
    line: createLine(
      () => (deliverer.unwritten > 0 ? 0 : deps.maxInFlight),
      (lease) => start(deliverer, lease),
      () => performance.now(),
    ),
    bytes: 0,
    unwritten: 0,
    returning: new Map(),
    returns: new Set(),
    aside: new Map(),
    lookAt: 0,
    full: false,
    ring: doorbell.ring,
    secrets: new Map(),
    identities: createTlsIdentities(deps.store),
    signal,
  }
  const forget = deps.store.onDue((from) => {
    if (from >= deliverer.lookAt) return
    deliverer.lookAt = from
    doorbell.ring()
  })
  let reapAt = 0
  let pollAt = 0
  while (!signal.aborted) {
    try {
      if (performance.now() >= reapAt) {
        await reap(deliverer, reapAt === 0)
        // Not before: what is leased then would be taken for what a dead process left.
        deps.store.courier ??= courierOf(deliverer)
        reapAt = performance.now() + reapEveryMs
      }
      await giveBack(deliverer, deliverer.line.takeBackOlder(now() - longestAheadMs))
      deliverer.line.pump()
      if (deliverer.lookAt <= deliverer.now() || performance.now() >= pollAt) {
        await claimMore(deliverer)
        pollAt = performance.now() + longestWaitMs
      }
      const waitMs = deliverer.full ? longestWaitMs : deliverer.lookAt - deliverer.now()
      if (waitMs > 0) await doorbell.wait(Math.min(waitMs, longestWaitMs), signal)
    } catch (error) {
      deps.log.error({ err: error }, 'deliver: the database refused, trying again')
      deliverer.lookAt = 0
      await doorbell.wait(longestWaitMs, signal)
    }
  }
  forget()
  deps.store.courier = null
  await drain(deliverer)
}

async function reap({ deps, now, leased }: Deliverer, first: boolean): Promise<void> {
  const back = first ? await mendTimes(deps.store, now()) : 0
  if (back > 0)
    deps.log.warn({ ms: back }, 'deliver: the clock was set back, what waits is due earlier')
  await noteTime(deps.store, now())
  const returned = first
    ? await reapAtStart(deps.store, now())
    : await reapLeases(deps.store, [...leased.keys()], now())
  if (returned > 0)
    deps.log.warn({ deliveries: returned }, 'deliver: leases without a process returned')
}

/** How many more deliveries may be leased, and how many of them for one webhook beyond its room. */
function roomOf(deliverer: Deliverer): { limit: number; ahead: number } {
  const { deps, leased, line, bytes, unwritten } = deliverer
  if (unwritten > 0) return { limit: 0, ahead: 0 }
  const spare = bytes < mostBytes ? Math.max(0, mostAhead - line.waiting()) : 0
  // The fuller it is, the less for one: new webhooks find room too.
  const ahead = Math.min(mostAheadOfOne, Math.floor(spare / 8))
  return { limit: deps.maxInFlight + mostAhead - leased.size, ahead }
}

function courierOf(deliverer: Deliverer): Courier {
  return {
    room: () => roomOf(deliverer),
    take(leases) {
      hold(deliverer, leases)
      // The drain has been, or will not see it.
      if (deliverer.signal.aborted) void giveBack(deliverer, deliverer.line.takeBackOlder(Infinity))
    },
    setAside: async (webhookId, work) => await setAside(deliverer, webhookId, work),
  }
}

async function setAside<T>(
  deliverer: Deliverer,
  webhookId: string,
  work: () => Promise<T>,
): Promise<SetAside<T>> {
  const { aside, line } = deliverer
  const mine = { cameBack: [] as Promise<void>[] }
  aside.set(webhookId, [...(aside.get(webhookId) ?? []), mine])
  try {
    // Where the database is away this takes until it is back; `work` meets the same, and says so.
    const returned = giveBack(deliverer, line.takeBack(webhookId))
    await atMost(longestReturnMs, returned)
    const result = await work()
    const cameBack = mine.cameBack.length > 0
    await atMost(longestReturnMs, Promise.all(mine.cameBack))
    return { result, cameBack }
  } finally {
    const others = (aside.get(webhookId) ?? []).filter((one) => one !== mine)
    if (others.length > 0) aside.set(webhookId, others)
    else aside.delete(webhookId)
  }
}

async function claimMore(deliverer: Deliverer): Promise<void> {
  const { deps, now, leased } = deliverer
  const { limit, ahead } = roomOf(deliverer)
  deliverer.full = limit <= 0
  if (deliverer.full) return
  // What is claimed while earlier events are on their way back goes back too: two such returns, each claimed again while
  // the other is under way, chased each other for ever.
  await Promise.all(deliverer.returns)
  deliverer.lookAt = Number.POSITIVE_INFINITY
  const troubled = [...leased.keys()].filter((lease) => lease.webhook.troubled).length
  const { leases, nextDue } = await claimDue(deps.store, {
    now: now(),
    limit: Math.min(limit, claimAtOnce),
    troubledLimit: Math.max(0, Math.ceil(deps.maxInFlight / 2) - troubled),
    ahead,
  })
  if (nextDue !== null) {
    const least = leases.length === 0 ? now() + passedOverMs : 0
    deliverer.lookAt = Math.min(deliverer.lookAt, Math.max(nextDue, least))
  }
  hold(deliverer, leases)
}

function hold(deliverer: Deliverer, leases: readonly Lease[]): void {
  for (const lease of leases) {
    deliverer.leased.set(lease, null)
    deliverer.bytes += Buffer.byteLength(lease.event.body)
  }
  // Leased before what is on its way back had arrived there: sent now, it would overtake earlier events of its call.
  const { aside, returning } = deliverer
  const stays = ({ webhook: { id } }: Lease) => !returning.has(id) && !aside.has(id)
  const [back, inOrder] = [leases.filter((lease) => !stays(lease)), leases.filter(stays)]
  const returned = giveBack(deliverer, back)
  for (const id of new Set(back.map((lease) => lease.webhook.id))) {
    for (const { cameBack } of aside.get(id) ?? []) cameBack.push(returned)
  }
  deliverer.line.add(inOrder, deliverer.now())
}

/** The lease is not this process's any more. */
function release(deliverer: Deliverer, lease: Lease): void {
  if (!deliverer.leased.delete(lease)) return
  deliverer.bytes -= Buffer.byteLength(lease.event.body)
  findRoom(deliverer)
}

/** There may be room again for what was claimed in vain. */
function findRoom(deliverer: Deliverer): void {
  if (!deliverer.full) return
  deliverer.full = false
  deliverer.lookAt = 0
  deliverer.ring()
}

/** Returns what was leased ahead and not sent; until it has arrived there, nothing of its webhook goes from memory. */
async function giveBack(deliverer: Deliverer, leases: readonly Lease[]): Promise<void> {
  if (leases.length === 0) return
  const { deps, now, returning, returns, leased, signal } = deliverer
  const webhooks = new Set(leases.map((lease) => lease.webhook.id))
  for (const id of webhooks) returning.set(id, (returning.get(id) ?? 0) + 1)
  const facts = { deliveries: leases.length }
  const work: Promise<void> = retryUntil(
    signal,
    async () => returnLeases(deps.store, leases, now(), null),
    {
      failed: (err) => deps.log.error({ ...facts, err }, 'deliver: leases cannot be returned'),
    },
  )
    // At the end: they run out, or the next start returns them.
    .catch((err: unknown) => deps.log.error({ ...facts, err }, 'deliver: leases not returned'))
    .then(() => {
      for (const id of webhooks) {
        const others = (returning.get(id) ?? 0) - 1
        if (others > 0) returning.set(id, others)
        else returning.delete(id)
      }
      returns.delete(work)
      for (const lease of leases) release(deliverer, lease)
    })
  returns.add(work)
  for (const lease of leases) leased.set(lease, work)
  await work
}

function start(deliverer: Deliverer, lease: Lease): void {
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
  const made = await attempt(deliverer, lease, startedAt)
  // Put off by our own failure: what follows it in its call must not go from memory before it.
  if (made === null) void giveBack(deliverer, line.takeBack(lease.webhook.id))
  line.ended(lease)
  if (made === null) return
  const { request, outcome } = made
  const { retries, id: webhookId } = lease.webhook
  // What its receiver takes is not as quick any more: the rest of it is for the lane to rule.
  if (!outcome.ok) void giveBack(deliverer, line.takeBack(webhookId))
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
  const { headers, ...request } = renderRequest(event.body, webhook, deliverer.deps.version)
  const secrets = signingSecrets(deliverer, webhook)
  const signature = signatureHeaders({ id: event.id, at, body: request.body }, secrets)
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

async function drain(deliverer: Deliverer): Promise<void> {
  const { deps, now, leased, line } = deliverer
  await giveBack(deliverer, line.takeBackOlder(Infinity))
  await atMost(deps.stopMs, Promise.allSettled(leased.values()))
  await noteTime(deps.store, now()).catch((error: unknown) => {
    deps.log.warn({ err: error }, 'deliver: the time of the stop was not noted')
  })
  const left = [...leased.keys()]
  if (left.length === 0) return
  deps.log.warn({ deliveries: left.length }, 'deliver: requests were not over, they are sent again')
  await returnLeases(deps.store, left, now(), null)
}

/** Waits for the work, but no longer than so many milliseconds. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const time = Promise.withResolvers<void>()
  const timer = setTimeout(time.resolve, ms)
  await Promise.race([work, time.promise])
  clearTimeout(timer)
}
