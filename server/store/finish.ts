/**
 * Finish: writes down what came of attempts, many at a time, in one transaction. A power cut may take the last of
 * them with it: those requests are made again, as after a kill before they were written.
 *
 * Guarded by the claim id: when the lease ran out meanwhile and another claim has the delivery (or had it), the late
 * answer changes nothing, and `finishAttempt` says so by `false`.
 */
import { sql } from 'kysely'
import type { EarlierRequest } from '#contracts/delivery.ts'
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { type Breaker, type BreakerOutcome, failsTooLong } from '#server/domain/breaker.ts'
import type { NextState } from '#server/domain/next-state.ts'
import { isoOf } from '#server/domain/times.ts'
import { type Acceptance, acceptInto, newAcceptance } from '#server/store/accept.ts'
import { attemptKey } from '#server/store/attempt-key.ts'
import type { BatchColumns, Insert, Update, Value } from '#server/store/batch.ts'
import { type LaneBreaker, moveBreakers } from '#server/store/breakers.ts'
import { tellDisabled } from '#server/store/disabled-event.ts'
import { dueAgain } from '#server/store/lanes.ts'
import { notePace } from '#server/store/pace.ts'
import { partitionName } from '#server/store/partitions.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { disableWebhookAutomatically } from '#server/store/webhooks.ts'

/** One attempt as it is kept. */
export interface AttemptRecord {
  /** From 1 within the delivery. */
  readonly number: number
  /** Which time that the delivery was sent again; 0: it was not. */
  readonly resend: number
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly method: string
  /** As it was sent. */
  readonly url: string
  /** Redacted already. */
  readonly requestHeaders: Readonly<Record<string, string>>
  /** Null: the body was the event as it is stored. */
  readonly requestBody: string | null
  readonly outcome: AttemptOutcome
  /** What had to be asked before, in that order; most attempts are one request. */
  readonly earlierRequests: readonly EarlierRequest[]
}

export interface Finish {
  readonly deliverySeq: number
  readonly eventDay: number
  readonly claimId: string
  readonly webhookId: string
  readonly attempt: AttemptRecord
  readonly next: NextState
  /** After how much time of nothing but failures the webhook is disabled; null: never. */
  readonly disableAfterMs: number | null
  /** Epoch milliseconds. */
  readonly now: number
}

/** Resolves when the attempt is written, so that a kill of the process does not lose it; false: the lease was not this claim's any more, nothing was written. */
export async function finishAttempt(store: Store, finish: Finish): Promise<boolean> {
  return await store.finishing.add(flatFinish(finish))
}

/** Flat, its attempt as the row that is stored, so that it costs little to send to another thread. */
export interface FlatFinish extends Omit<Finish, 'attempt'> {
  readonly number: number
  readonly outcome: BreakerOutcome & { readonly durationMs: number }
  readonly row: readonly Value[]
}

function flatFinish(finish: Finish): FlatFinish {
  const { attempt, ...rest } = finish
  const { ok, statusCode, error, errorDetail, retryAfter, durationMs } = attempt.outcome
  const row = attemptRow(finish)
  return {
    ...rest,
    number: attempt.number,
    outcome: { ok, statusCode, error, errorDetail, retryAfter, durationMs },
    row: attemptNames.map((name) => row[name]),
  }
}

/**
 * Writes down what came of them: `finishes` are those whose leases were theirs, `lanes` their lanes as `freeSlots` left
 * them.
 */
export async function recordEnds(
  trx: Trx,
  context: ProcedureContext,
  finishes: readonly FlatFinish[],
  lanes: readonly FreedLane[],
): Promise<void> {
  if (finishes.length === 0) return
  const open = await moveBreakers(trx, context, lanes, finishes)
  await insertAttempts(trx, context, finishes, open)
  for (const { webhookId, outcome } of finishes) {
    notePace(context.pace, webhookId, outcome.ok, outcome.durationMs)
  }
  await disable(trx, context, finishes, open)
}

/**
 * What is leased has a claim, and nothing else has. Asked for its state as well, PostgreSQL may look it up in the index
 * of all that is leased, hundreds of rows for each (170 µs a row instead of 20).
 */
const moveDelivery: Update = {
  columns: {
    seq: 'bigint',
    claim: 'text',
    state: 'text',
    due: 'bigint',
    finished: 'bigint',
    counts: 'integer',
    status: 'integer',
    error: 'text',
  },
  statement: (of, from) => `
    update delivery set state = ${of('state')}, due_at = ${of('due')}, finished_at = ${of('finished')},
      turn = case when ${of('state')} = 'pending' then 1 else turn end,
      attempts = attempts + 1, round_attempts = round_attempts + ${of('counts')},
      last_status = ${of('status')}, last_error = ${of('error')}, claim_id = null, lease_until = null
    ${from}
    where delivery.seq = ${of('seq')} and delivery.claim_id = ${of('claim')}`,
  tells: true,
}

/** For each, whether the delivery was still leased to its claim. */
export async function moveDeliveries(
  trx: Trx,
  { batch }: ProcedureContext,
  finishes: readonly FlatFinish[],
): Promise<readonly boolean[]> {
  if (finishes.length === 0) return []
  const rows = finishes.map(({ deliverySeq, claimId, next, now, outcome }) => [
    deliverySeq,
    claimId,
    next.state,
    next.state === 'pending' ? next.dueAt : now,
    next.state === 'pending' ? null : now,
    next.state === 'pending' && !next.counts ? 0 : 1,
    outcome.statusCode,
    outcome.error,
  ])
  return await batch.update(trx, moveDelivery, rows)
}

const attemptColumns = {
  seq: 'bigint',
  started_at: 'bigint',
  ok: 'integer',
  status_code: 'integer',
  error: 'text',
  error_detail: 'text',
  method: 'text',
  url: 'text',
  request_headers: 'text',
  request_body: 'text',
  response_headers: 'text',
  response_body: 'text',
  response_truncated: 'integer',
  remote_address: 'text',
  http_version: 'text',
  dns_ms: 'integer',
  connect_ms: 'integer',
  tls_ms: 'integer',
  first_byte_ms: 'integer',
  duration_ms: 'integer',
  resend: 'integer',
  next_try_at: 'bigint',
  earlier_requests: 'text',
  decision: 'text',
} as const satisfies BatchColumns
type AttemptColumn = keyof typeof attemptColumns
const attemptNames = Object.keys(attemptColumns) as AttemptColumn[]

const insertAttempt = (day: number): Insert => ({
  into: partitionName('attempt', day),
  columns: attemptColumns,
})

async function insertAttempts(
  trx: Trx,
  { batch }: ProcedureContext,
  finishes: readonly FlatFinish[],
  open: ReadonlyMap<string, Breaker>,
): Promise<void> {
  for (const [day, ofDay] of Map.groupBy(finishes, (finish) => finish.eventDay)) {
    const rows = ofDay.map((one) => rowOf(one, open.get(one.webhookId)?.until ?? null))
    await batch.insert(trx, insertAttempt(day), rows)
  }
}

/** The row, as far as it is known without the webhook's breaker. */
function attemptRow({ deliverySeq, attempt, next }: Finish): Record<AttemptColumn, Value> {
  const { outcome } = attempt
  const { timings } = outcome
  return {
    seq: attemptKey(deliverySeq, attempt.number),
    started_at: attempt.startedAt,
    ok: outcome.ok ? 1 : 0,
    status_code: outcome.statusCode,
    error: outcome.error,
    error_detail: outcome.errorDetail,
    method: attempt.method,
    url: attempt.url,
    request_headers: JSON.stringify(attempt.requestHeaders),
    request_body: attempt.requestBody,
    response_headers:
      outcome.responseHeaders === null ? null : JSON.stringify(outcome.responseHeaders),
    // Neither NUL nor half a surrogate pair is text for a database.
    response_body: outcome.responseBody?.toWellFormed().replaceAll('\0', '\uFFFD') ?? null,
    response_truncated: outcome.responseTruncated ? 1 : 0,
    remote_address: outcome.remoteAddress,
    http_version: outcome.httpVersion,
    dns_ms: timings.dnsMs,
    connect_ms: timings.connectMs,
    tls_ms: timings.tlsMs,
    first_byte_ms: timings.firstByteMs,
    duration_ms: outcome.durationMs,
    resend: attempt.resend,
    next_try_at: next.state === 'pending' ? next.dueAt : null,
    earlier_requests:
      attempt.earlierRequests.length === 0 ? null : JSON.stringify(attempt.earlierRequests),
    decision: next.decision,
  }
}

const nextTryAt = attemptNames.indexOf('next_try_at')
const decision = attemptNames.indexOf('decision')

/** `openUntil`: before that the webhook's breaker lets nothing through; null: it is closed. */
function rowOf({ row, next }: FlatFinish, openUntil: number | null): readonly Value[] {
  if (next.state !== 'pending' || openUntil === null || openUntil <= next.dueAt) return row
  const says = `${next.decision} The circuit breaker is open: not before ${isoOf(openUntil)}.`
  return row.with(nextTryAt, openUntil).with(decision, says)
}

export interface FreedLane extends LaneBreaker {
  readonly next_due: number | null
}

/** Gives the slots back and makes the lanes due again where something waits; returns their breakers as they were. */
export async function freeSlots(
  trx: Trx,
  { facts }: ProcedureContext,
  finishes: readonly FlatFinish[],
): Promise<readonly FreedLane[]> {
  if (finishes.length === 0) return []
  const byWebhook = [...Map.groupBy(finishes, (finish) => finish.webhookId)]
  const rows = byWebhook.map(([webhook, group]) => ({ webhook, count: group.length }))
  const now = Math.max(...finishes.map((finish) => finish.now))
  const lanes = await sql<FreedLane>`
    update lane set in_flight = in_flight - e.count, next_due = ${dueAgain(now)}
    from (
      select r.value ->> 'webhook' as webhook, cast(r.value ->> 'count' as integer) as count
      from ${facts.rowsOf(JSON.stringify(rows), 'r')}
    ) as e
    where lane.webhook_id = e.webhook
    returning lane.webhook_id, lane.failures, lane.failing_since, lane.breaker, lane.breaker_until,
      lane.breaker_reason, lane.breaker_opens, lane.next_due`.execute(trx)
  return lanes.rows
}

/**
 * Disables the webhooks that answered "gone" or have failed for too long, and tells it as an event of the account.
 * `open` are the breakers that are not closed after these attempts, by webhook.
 */
async function disable(
  trx: Trx,
  context: ProcedureContext,
  finishes: readonly FlatFinish[],
  open: ReadonlyMap<string, Breaker>,
): Promise<void> {
  for (const finish of finishes) {
    const { webhookId, deliverySeq, number, now } = finish
    const reason = reasonToDisable(finish, open.get(webhookId))
    if (reason === null) continue
    const webhook = await disableWebhookAutomatically(trx, webhookId, reason, now)
    if (webhook === null) continue
    const cause = { deliverySeq, attempt: number }
    const event = await tellDisabled(trx, { ...webhook, id: webhookId, reason, cause, at: now })
    const acceptance: Acceptance = {
      accountId: webhook.accountId,
      serviceUuid: null,
      events: [event],
      openCalls: null,
      cursor: null,
      now,
    }
    await acceptInto(trx, context, [newAcceptance(acceptance)])
  }
}

function reasonToDisable(
  { next, now, disableAfterMs }: FlatFinish,
  breaker: Breaker | undefined,
): 'gone' | 'failing' | null {
  if (next.state === 'exhausted' && next.disableWebhook !== null) return next.disableWebhook
  return breaker !== undefined && failsTooLong(breaker, now, disableAfterMs) ? 'failing' : null
}
