/**
 * Claim: takes due deliveries and leases them to this process.
 *
 *   1. Lanes that are due and have room, in the order of `next_due`. One row per webhook is read, however many
 *      deliveries wait in it: a dead receiver with a million of them costs the others nothing.
 *   2. From each lane a few due deliveries: first tries (turn 0), then, where room is left, what comes later (turn 1:
 *      retries, resent, recovered, replayed). That never holds up what is new.
 *   3. Their state becomes `leased`, with an end and the id of this claim. `finish.ts` acts only for the claim that
 *      still has the lease; `reap.ts` returns leases that ran out.
 *   4. The lanes' `next_due` moves on: to now where more may be due (behind all the other lanes), else to the next
 *      due time. Taking lanes by the oldest `next_due` and stamping them anew is round robin by construction.
 *
 * The transaction is not durable: lost in a power cut, the deliveries are as pending as before. It never lasts over
 * the network.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { BreakerState } from '#server/domain/breaker.ts'
import {
  type Bucket,
  nextRequestAt,
  refilled,
  roomIn,
  takenFrom,
} from '#server/domain/rate-limit.ts'
import type { Update } from '#server/store/batch.ts'
import type { CallOrder } from '#server/store/claim-order.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import { type DueDelivery, findDue, type LaneHead } from '#server/store/due-deliveries.ts'
import {
  earliestDue,
  hasRoom,
  leaseEnd,
  noOthers,
  requestVersion,
  tlsVersion,
} from '#server/store/lanes.ts'
import { aheadOf, isSlow } from '#server/store/pace.ts'
import { bodyIn, readBodiesIn } from '#server/store/partitions.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import { signingSecrets } from '#server/store/signing-secrets.ts'
import type { Db, Store, Trx } from '#server/store/store.ts'

export interface ClaimRequest {
  /** Epoch milliseconds. */
  readonly now: number
  /** The most deliveries to take. */
  readonly limit: number
  /** How many of them may belong to webhooks whose last attempt failed, or that are slow: these share a part of all slots. */
  readonly troubledLimit: number
  /**
   * How many deliveries more than its room a lane may get, at most, for a caller that keeps to its concurrency and to
   * the order of its calls itself (`pipeline/line.ts`); only while nobody else has anything of the lane leased. 0 or
   * absent: none, and the order is kept here.
   */
  readonly ahead?: number
}

/** What the deliverer needs of a webhook; read with the claim, so that a change counts from the next claim on. */
export interface ClaimedWebhook {
  readonly id: string
  readonly url: string
  readonly retries: number
  readonly timeoutMs: number
  /** Requests that may be under way to it at the same time. */
  readonly concurrency: number
  /** For `readSigningSecrets`. */
  readonly sealedSecrets: string
  /** Version of its TLS identity (`tls-identities.ts`); null: the usual one. */
  readonly tlsVersion: string | null
  /** Version of its request's settings (`webhook-requests.ts`); null: the plain ones. */
  readonly requestVersion: string | null
  /** Its last attempt failed, or it is slow. */
  readonly troubled: boolean
  /** Its circuit breaker is not closed: this request finds out whether its receiver is back. */
  readonly probe: boolean
}

/** One delivery, leased. */
export interface Lease {
  readonly deliverySeq: number
  readonly claimId: string
  readonly webhook: ClaimedWebhook
  readonly event: { readonly id: string; readonly type: EventType; readonly body: string }
  /** The day whose partitions hold the event's body and the attempts. */
  readonly eventDay: number
  /** What has the same goes one after the other: the first tries of a call; null: it has to wait for none. */
  readonly call: string | null
  /** Attempts made so far, and those of them since it was last sent again. */
  readonly attempts: number
  readonly roundAttempts: number
  /** How often it was sent again after its end. */
  readonly resends: number
}

export interface Claim {
  readonly leases: readonly Lease[]
  /** When the next lane that could be claimed is due, epoch ms; null: none will be by the passing of time alone. */
  readonly nextDue: number | null
}

/** Lanes looked at in one claim; more of them make the statement long, not the round fairer. */
const lanesAtOnce = 32
/** What a lane gets at least, so that a busy one is not visited for every single delivery. */
const leastShare = 4
/** When a lane is looked at again that was due while all that lanes in trouble may have was taken. */
const putOffMs = 500

interface Lane extends CallOrder {
  readonly id: string
  readonly room: number
  readonly concurrency: number
  /** 1: no other process has anything of it leased. */
  readonly ours: 0 | 1
  readonly failures: number
  readonly url: string
  readonly retries: number
  readonly timeout_seconds: number
  readonly secrets: string
  readonly breaker: BreakerState
  readonly rate_per_second: number | null
  readonly rate_tokens: number
  readonly rate_at: number
  readonly tls_version: string | null
  readonly request_version: string | null
}

export async function claimDue(store: Store, request: ClaimRequest): Promise<Claim> {
  return await store.transact('claim', 'relaxed', request)
}

/** The transaction of `claimDue`. */
export async function claimInto(
  trx: Trx,
  context: ProcedureContext,
  request: ClaimRequest,
): Promise<Claim> {
  const claimId = newClaimId(context.holder())
  const lanes = await dueLanes(trx, context.facts, claimId, request)
  if (lanes.length === 0) return { leases: [], nextDue: await nextDueIn(trx, request) }
  const share = Math.max(leastShare, Math.ceil(request.limit / lanes.length))
  const wanted = lanes.map((lane): Wanted => {
    const bucket = bucketOf(lane, request.now)
    const rate = bucket === null ? Number.POSITIVE_INFINITY : roomIn(bucket)
    const limit = Math.min(roomOf(lane, context, request), share, rate)
    return { lane, bucket, limit, troubled: lane.failures > 0 || isSlow(context.pace, lane.id) }
  })
  const candidates = await findDue(trx, context.batch, headsOf(wanted, request), request.now)
  const { taken, putOff } = choose(wanted, candidates, request)
  const bodies = await readBodiesIn(
    trx,
    context.batch,
    taken.flatMap(({ deliveries }) =>
      deliveries.map((d) => ({ seq: d.event_seq, day: d.event_day })),
    ),
  )
  const leases = taken.flatMap((one) => leasesOf(one, bodies, claimId))
  if (leases.length > 0) await lease(trx, context, leases, request.now)
  await moveOn(trx, context.facts, taken, claimId, request.now)
  await spend(trx, context, wanted, taken)
  if (putOff.length > 0) await wait(trx, context, putOff, request.now)
  if (leases.length === request.limit) return { leases, nextDue: request.now }
  const troubled = leases.filter((l) => l.webhook.troubled).length
  const rest = { troubledLimit: request.troubledLimit - troubled }
  return { leases, nextDue: await nextDueIn(trx, rest) }
}

/** A claim is told apart by its id; what stands before the last point is its holder, and before the first its node. */
export function newClaimId(holder: string): string {
  return `${holder}.${randomBytes(12).toString('base64url')}`
}

export function holderOf(claimId: string): string {
  return claimId.slice(0, claimId.lastIndexOf('.'))
}

/** When the earliest lane with room is due, epoch ms; null: none will be by the passing of time alone. */
export async function nextDueAt(store: Store): Promise<number | null> {
  return await nextDueIn(store.read, { troubledLimit: 1 })
}

export async function nextDueIn(
  db: Db,
  { troubledLimit }: Pick<ClaimRequest, 'troubledLimit'>,
): Promise<number | null> {
  const row = await sql<{ next_due: number }>`
    select next_due from lane
    where next_due is not null and ${hasRoom}
      ${troubledLimit > 0 ? sql`` : sql`and failures = 0`}
    order by next_due limit 1`.execute(db)
  return row.rows[0]?.next_due ?? null
}

async function dueLanes(
  trx: Trx,
  facts: DialectFacts,
  claimId: string,
  { now, limit, troubledLimit }: ClaimRequest,
): Promise<readonly Lane[]> {
  const rows = await sql<Lane>`
    select lane.webhook_id as id, lane.max_in_flight as concurrency, lane.failures, lane.breaker,
      case when lane.breaker = 'closed' then lane.max_in_flight - lane.in_flight else 1 end as room,
      case when ${noOthers(holderOf(claimId))} then 1 else 0 end as ours,
      lane.rate_per_second, lane.rate_tokens, lane.rate_at,
      w.url, w.retries, w.timeout_seconds, w.delivery_order, w.on_exhausted, ${signingSecrets} as secrets,
      ${requestVersion} as request_version,
      ${tlsVersion} as tls_version
    from lane join webhook as w on w.id = lane.webhook_id join account as a on a.id = w.account_id
    where lane.next_due is not null and lane.next_due <= ${now}
      and ${hasRoom}
      ${troubledLimit > 0 ? sql`` : sql`and lane.failures = 0`}
    order by lane.next_due
    limit ${Math.min(limit, lanesAtOnce)}
    ${facts.lockRows('lane')}`.execute(trx)
  return rows.rows
}

/** Ahead goes only what nothing can stop but a failure: of a lane that is well, not limited and nobody else's. */
function roomOf(lane: Lane, { pace }: ProcedureContext, { ahead = 0 }: ClaimRequest): number {
  const well = lane.failures === 0 && lane.breaker === 'closed' && lane.rate_per_second === null
  if (ahead === 0 || lane.ours === 0 || !well || lane.delivery_order === 'strict') return lane.room
  return lane.room + aheadOf(pace, lane.id, lane.concurrency, ahead)
}

interface Wanted {
  readonly lane: Lane
  /** What the rate limit allows now; null: there is none. */
  readonly bucket: Bucket | null
  readonly limit: number
  /** Its last attempt failed, or it is slow. */
  readonly troubled: boolean
}

function bucketOf(lane: Lane, now: number): Bucket | null {
  const { rate_per_second: rate, rate_tokens: tokens, rate_at: at } = lane
  return rate === null ? null : refilled({ rate, tokens, at }, now)
}

function headsOf(wanted: readonly Wanted[], { ahead = 0 }: ClaimRequest): readonly LaneHead[] {
  return wanted
    .filter(({ limit }) => limit > 0)
    .map(({ lane, limit }) => ({
      ...lane,
      limit,
      // Ahead go first tries only: what is live and comes next must not find a line of what is sent again.
      laterLimit: Math.min(limit, lane.room),
      inMemory: ahead > 0 && lane.ours === 1,
    }))
}

interface Taken {
  readonly lane: Lane
  readonly troubled: boolean
  readonly deliveries: readonly DueDelivery[]
  /** The lane gave as many as it was asked for, or had to stop: there may be more that is due. */
  readonly more: boolean
}

/** Shares the limit out: lane by lane, first tries before retries. */
function choose(
  wanted: readonly Wanted[],
  candidates: readonly DueDelivery[],
  request: ClaimRequest,
): { readonly taken: readonly Taken[]; readonly putOff: readonly string[] } {
  const byLane = Map.groupBy(candidates, (c) => c.webhook_id)
  let left = request.limit
  let leftForTroubled = request.troubledLimit
  const taken: Taken[] = []
  const putOff: string[] = []
  for (const { lane, limit, troubled } of wanted) {
    const due = (byLane.get(lane.id) ?? []).toSorted((a, b) => a.turn - b.turn)
    const most = Math.min(limit, left, troubled ? leftForTroubled : left)
    const deliveries = due.slice(0, most)
    left -= deliveries.length
    if (troubled) leftForTroubled -= deliveries.length
    // A lane that nothing was left for keeps its place in the line. Slow ones would keep others from theirs: failing
    // lanes are left out when nothing is left for them, but these look like any other until they are read.
    if (most > 0) taken.push({ lane, troubled, deliveries, more: due.length >= most })
    else if (troubled && lane.failures === 0 && left > 0) putOff.push(lane.id)
  }
  return { taken, putOff }
}

function leasesOf(
  { lane, troubled, deliveries }: Taken,
  bodies: ReadonlyMap<number, string>,
  claimId: string,
): readonly Lease[] {
  const webhook: ClaimedWebhook = {
    id: lane.id,
    url: lane.url,
    retries: lane.retries,
    timeoutMs: lane.timeout_seconds * 1_000,
    concurrency: lane.concurrency,
    sealedSecrets: lane.secrets,
    tlsVersion: lane.tls_version,
    requestVersion: lane.request_version,
    troubled,
    probe: lane.breaker !== 'closed',
  }
  return deliveries.map((d) => ({
    deliverySeq: d.seq,
    claimId,
    webhook,
    event: { id: d.event_id, type: d.event_type, body: bodyIn(bodies, d.event_seq) },
    eventDay: d.event_day,
    // What is sent again does not hold up what is live.
    call: d.round_attempts === 0 && d.call_uuid !== null ? `${d.turn} ${d.call_uuid}` : null,
    attempts: d.attempts,
    roundAttempts: d.round_attempts,
    resends: d.resends,
  }))
}

const leaseDelivery: Update = {
  columns: { seq: 'bigint', claim: 'text', until: 'bigint' },
  statement: (of, from) => `
    update delivery set state = 'leased', claim_id = ${of('claim')}, lease_until = ${of('until')}
    ${from}
    where delivery.seq = ${of('seq')}`,
}

async function lease(
  trx: Trx,
  { batch }: ProcedureContext,
  leases: readonly Lease[],
  now: number,
): Promise<void> {
  const rows = leases.map(({ deliverySeq, claimId, webhook }) => [
    deliverySeq,
    claimId,
    leaseEnd(now, webhook.timeoutMs),
  ])
  await batch.update(trx, leaseDelivery, rows)
}

async function moveOn(
  trx: Trx,
  facts: DialectFacts,
  taken: readonly Taken[],
  claimId: string,
  now: number,
): Promise<void> {
  const holder = holderOf(claimId)
  const rows = taken.map(({ lane, deliveries, more }) => ({
    webhook: lane.id,
    count: deliveries.length,
    more: more ? 1 : 0,
  }))
  // Due ones that the order of their call still blocks need no time of their own: the finish of the one before them
  // makes the lane due.
  await sql`
    update lane set in_flight = in_flight + e.count,
      holder = case when e.count = 0 then holder when ${noOthers(holder)} then ${holder} end,
      breaker = case when breaker = 'open' and e.count > 0 then 'half_open' else breaker end,
      next_due = case when e.more = 1 then ${now} else ${earliestDue(now)} end
    from (
      select r.value ->> 'webhook' as webhook, cast(r.value ->> 'count' as bigint) as count,
        cast(r.value ->> 'more' as bigint) as more
      from ${facts.rowsOf(JSON.stringify(rows), 'r')}
    ) as e
    where lane.webhook_id = e.webhook`.execute(trx)
}

/** Takes from the buckets of the rate limits what was claimed, and puts lanes off until they allow the next request. */
async function spend(
  trx: Trx,
  { facts }: ProcedureContext,
  wanted: readonly Wanted[],
  taken: readonly Taken[],
): Promise<void> {
  const counts = new Map(taken.map(({ lane, deliveries }) => [lane.id, deliveries.length]))
  const rows = wanted.flatMap(({ lane, bucket }) => {
    if (bucket === null) return []
    const count = counts.get(lane.id)
    // The claim was full before its turn came: it keeps its place in the line.
    if (count === undefined && roomIn(bucket) > 0) return []
    const left = takenFrom(bucket, count ?? 0)
    const next = nextRequestAt(left)
    return [{ webhook: lane.id, tokens: left.tokens, at: left.at, next }]
  })
  if (rows.length === 0) return
  await sql`
    update lane set rate_tokens = e.tokens, rate_at = e.at,
      next_due = case when next_due < e.next then e.next else next_due end
    from (
      select r.value ->> 'webhook' as webhook, cast(r.value ->> 'tokens' as bigint) as tokens,
        cast(r.value ->> 'at' as bigint) as at, cast(r.value ->> 'next' as bigint) as next
      from ${facts.rowsOf(JSON.stringify(rows), 'r')}
    ) as e
    where lane.webhook_id = e.webhook`.execute(trx)
}

/** Puts lanes off that were due in vain, behind those that are not. */
async function wait(
  trx: Trx,
  { batch }: ProcedureContext,
  lanes: readonly string[],
  now: number,
): Promise<void> {
  await batch.update(
    trx,
    putOffLane,
    lanes.map((id) => [id, now + putOffMs]),
  )
}

const putOffLane: Update = {
  columns: { webhook: 'text', due: 'bigint' },
  statement: (of, from) => `
    update lane set next_due = ${of('due')} ${from} where lane.webhook_id = ${of('webhook')}`,
}
