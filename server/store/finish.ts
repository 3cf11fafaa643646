/**
 * Finish: writes down what came of attempts, many at a time, in one durable transaction.
 *
 * Guarded by the claim id: when the lease ran out meanwhile and another claim has the delivery (or had it), the late
 * answer changes nothing, and `finishAttempt` says so by `false`.
 */
import { sql } from 'kysely'
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import type { NextState } from '#server/domain/next-state.ts'
import { type Acceptance, acceptInto } from '#server/store/accept.ts'
import { attemptKey } from '#server/store/attempt-key.ts'
import type { Batch, BatchColumns, Value } from '#server/store/batch.ts'
import { tellDisabled } from '#server/store/disabled-event.ts'
import { dueAgain } from '#server/store/lanes.ts'
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
}

export interface Finish {
  readonly deliverySeq: number
  readonly eventDay: number
  readonly claimId: string
  readonly webhookId: string
  readonly attempt: AttemptRecord
  readonly next: NextState
  /** Epoch milliseconds. */
  readonly now: number
}

/** Resolves when the attempt is on disk; false: the lease was not this claim's any more, nothing was written. */
export async function finishAttempt(store: Store, finish: Finish): Promise<boolean> {
  return await store.finishing.add(finish)
}

export async function finishTogether(
  store: Pick<Store, 'transact' | 'ringDue'>,
  finishes: readonly Finish[],
): Promise<readonly boolean[]> {
  const done = await store.transact('finish', 'durable', finishes)
  store.ringDue()
  return done
}

/** The transaction of `finishAttempt`: for each, whether it was written. */
export async function finishInto(
  trx: Trx,
  context: ProcedureContext,
  finishes: readonly Finish[],
): Promise<readonly boolean[]> {
  const seqs = await moveDeliveries(trx, context, finishes)
  const mine = finishes.filter((finish) => seqs.has(finish.deliverySeq))
  if (mine.length > 0) {
    await insertAttempts(trx, context, mine)
    await updateLanes(trx, context, mine)
    await disableGone(trx, context, mine)
  }
  return finishes.map((finish) => seqs.has(finish.deliverySeq))
}

const moveDelivery: Batch = {
  columns: {
    seq: 'bigint',
    claim: 'text',
    state: 'text',
    due: 'bigint',
    finished: 'bigint',
    status: 'integer',
    error: 'text',
  },
  statement: (of, from) => `
    update delivery set state = ${of('state')}, due_at = ${of('due')}, finished_at = ${of('finished')},
      turn = case when ${of('state')} = 'pending' then 1 else turn end,
      attempts = attempts + 1, round_attempts = round_attempts + 1,
      last_status = ${of('status')}, last_error = ${of('error')}, claim_id = null, lease_until = null
    ${from}
    where delivery.seq = ${of('seq')} and delivery.state = 'leased'
      and delivery.claim_id = ${of('claim')}
    returning delivery.seq`,
}

/** The numbers of the deliveries that were still leased to these claims. */
async function moveDeliveries(
  trx: Trx,
  { batch }: ProcedureContext,
  finishes: readonly Finish[],
): Promise<ReadonlySet<number>> {
  const rows = finishes.map(({ deliverySeq, claimId, next, now, attempt: { outcome } }) => [
    deliverySeq,
    claimId,
    next.state,
    next.state === 'pending' ? next.dueAt : now,
    next.state === 'pending' ? null : now,
    outcome.statusCode,
    outcome.error,
  ])
  const moved = await batch<{ seq: number }>(trx, moveDelivery, rows)
  return new Set(moved.map((row) => row.seq))
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
  decision: 'text',
} as const satisfies BatchColumns
const attemptNames = Object.keys(attemptColumns) as (keyof typeof attemptColumns)[]

const insertAttempt = (day: number): Batch => ({
  columns: attemptColumns,
  statement: (of, from) => `
    insert into ${partitionName('attempt', day)} (${attemptNames.join(', ')})
    select ${attemptNames.map(of).join(', ')} ${from}`,
})

async function insertAttempts(
  trx: Trx,
  { batch }: ProcedureContext,
  finishes: readonly Finish[],
): Promise<void> {
  for (const [day, ofDay] of Map.groupBy(finishes, (finish) => finish.eventDay)) {
    const rows = ofDay.map((finish) => {
      const row = attemptRow(finish)
      return attemptNames.map((name) => row[name])
    })
    await batch(trx, insertAttempt(day), rows)
  }
}

function attemptRow({
  deliverySeq,
  attempt,
  next,
}: Finish): Record<keyof typeof attemptColumns, Value> {
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
    decision: next.decision,
  }
}

/** Gives the slots back and makes the lanes due again where something waits. */
async function updateLanes(
  trx: Trx,
  { facts }: ProcedureContext,
  finishes: readonly Finish[],
): Promise<void> {
  const byWebhook = [...Map.groupBy(finishes, (finish) => finish.webhookId)].sort()
  const rows = byWebhook.map(([webhook, group]) => {
    const lastSuccess = group.findLastIndex((finish) => finish.attempt.outcome.ok)
    return {
      webhook,
      count: group.length,
      succeeded: lastSuccess >= 0 ? 1 : 0,
      failed: group.length - 1 - lastSuccess,
    }
  })
  const now = Math.max(...finishes.map((finish) => finish.now))
  await sql`
    update lane set in_flight = in_flight - e.count,
      failures = case when e.succeeded = 1 then e.failed else failures + e.failed end,
      next_due = ${dueAgain(now)}
    from (
      select r.value ->> 'webhook' as webhook, cast(r.value ->> 'count' as integer) as count,
        cast(r.value ->> 'succeeded' as integer) as succeeded,
        cast(r.value ->> 'failed' as integer) as failed
      from ${facts.rowsOf(JSON.stringify(rows), 'r')}
    ) as e
    where lane.webhook_id = e.webhook`.execute(trx)
}

/** Disables the webhooks that answered "gone", and tells it as an event of the account. */
async function disableGone(
  trx: Trx,
  context: ProcedureContext,
  finishes: readonly Finish[],
): Promise<void> {
  for (const { webhookId, next, deliverySeq, now } of finishes) {
    const reason = next.state === 'exhausted' ? next.disableWebhook : null
    if (reason === null) continue
    const webhook = await disableWebhookAutomatically(trx, webhookId, reason, now)
    if (webhook === null) continue
    const about = { ...webhook, id: webhookId, reason, deliverySeq, at: now }
    const event = await tellDisabled(trx, about)
    const acceptance: Acceptance = {
      accountId: webhook.accountId,
      serviceUuid: null,
      events: [event],
      openCalls: null,
      cursor: null,
      now,
    }
    await acceptInto(trx, context, [acceptance])
  }
}
