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

/** The numbers of the deliveries that were still leased to these claims. */
async function moveDeliveries(
  trx: Trx,
  { facts }: ProcedureContext,
  finishes: readonly Finish[],
): Promise<ReadonlySet<number>> {
  const rows = finishes.map(({ deliverySeq, claimId, next, now, attempt: { outcome } }) => ({
    seq: deliverySeq,
    claim: claimId,
    state: next.state,
    due: next.state === 'pending' ? next.dueAt : now,
    finished: next.state === 'pending' ? null : now,
    status: outcome.statusCode,
    error: outcome.error,
  }))
  const moved = await sql<{ seq: number }>`
    update delivery set state = e.state, due_at = e.due, finished_at = e.finished,
      turn = case when e.state = 'pending' then 1 else turn end,
      attempts = attempts + 1, round_attempts = round_attempts + 1,
      last_status = e.status, last_error = e.error, claim_id = null, lease_until = null
    from (
      select cast(r.value ->> 'seq' as bigint) as number, r.value ->> 'claim' as claim,
        r.value ->> 'state' as state, cast(r.value ->> 'due' as bigint) as due,
        cast(r.value ->> 'finished' as bigint) as finished,
        cast(r.value ->> 'status' as integer) as status, r.value ->> 'error' as error
      from ${facts.rowsOf(JSON.stringify(rows), 'r')}
    ) as e
    where delivery.seq = e.number and delivery.state = 'leased' and delivery.claim_id = e.claim
    returning delivery.seq`.execute(trx)
  return new Set(moved.rows.map((row) => row.seq))
}

async function insertAttempts(
  trx: Trx,
  { facts }: ProcedureContext,
  finishes: readonly Finish[],
): Promise<void> {
  for (const [day, ofDay] of Map.groupBy(finishes, (finish) => finish.eventDay)) {
    const rows = ofDay.map(attemptRow)
    await sql`
      insert into ${sql.table(partitionName('attempt', day))}
        (seq, started_at, ok, status_code, error, error_detail, method, url, request_headers,
         request_body, response_headers, response_body, response_truncated, remote_address,
         http_version, dns_ms, connect_ms, tls_ms, first_byte_ms, duration_ms, resend,
         next_try_at, decision)
      select cast(e.value ->> 'seq' as bigint), cast(e.value ->> 'startedAt' as bigint),
        cast(e.value ->> 'ok' as integer), cast(e.value ->> 'statusCode' as integer),
        e.value ->> 'error', e.value ->> 'errorDetail', e.value ->> 'method', e.value ->> 'url',
        e.value ->> 'requestHeaders', e.value ->> 'requestBody', e.value ->> 'responseHeaders',
        e.value ->> 'responseBody', cast(e.value ->> 'responseTruncated' as integer),
        e.value ->> 'remoteAddress', e.value ->> 'httpVersion', cast(e.value ->> 'dnsMs' as integer),
        cast(e.value ->> 'connectMs' as integer), cast(e.value ->> 'tlsMs' as integer),
        cast(e.value ->> 'firstByteMs' as integer), cast(e.value ->> 'durationMs' as integer),
        cast(e.value ->> 'resend' as integer), cast(e.value ->> 'next' as bigint),
        e.value ->> 'decision'
      from ${facts.rowsOf(JSON.stringify(rows), 'e')}`.execute(trx)
  }
}

function attemptRow({ deliverySeq, attempt, next }: Finish) {
  const { outcome } = attempt
  return {
    seq: attemptKey(deliverySeq, attempt.number),
    startedAt: attempt.startedAt,
    ok: outcome.ok ? 1 : 0,
    statusCode: outcome.statusCode,
    error: outcome.error,
    errorDetail: outcome.errorDetail,
    method: attempt.method,
    url: attempt.url,
    requestHeaders: JSON.stringify(attempt.requestHeaders),
    requestBody: attempt.requestBody,
    responseHeaders:
      outcome.responseHeaders === null ? null : JSON.stringify(outcome.responseHeaders),
    // Neither NUL nor half a surrogate pair is text for a database.
    responseBody: outcome.responseBody?.toWellFormed().replaceAll('\0', '\uFFFD') ?? null,
    responseTruncated: outcome.responseTruncated ? 1 : 0,
    remoteAddress: outcome.remoteAddress,
    httpVersion: outcome.httpVersion,
    ...outcome.timings,
    durationMs: outcome.durationMs,
    resend: attempt.resend,
    next: next.state === 'pending' ? next.dueAt : null,
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
