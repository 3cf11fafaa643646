import type { Selectable } from 'kysely'
import type { Attempt, EarlierRequest } from '#contracts/delivery.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { redactUrl } from '#server/domain/redact.ts'
import { isoOf, isoOrNull } from '#server/domain/times.ts'
import { deliveryOfKey, keysOfDelivery, numberOfKey } from '#server/store/attempt-key.ts'
import { readDelivery } from '#server/store/deliveries.ts'
import { idOfNumber } from '#server/store/new-id.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import { bodyIn, partition, readBodies } from '#server/store/partitions.ts'
import type { Tables } from '#server/store/schema.ts'
import { inSnapshot } from '#server/store/snapshot.ts'
import type { Store } from '#server/store/store.ts'

type Headers = Readonly<Record<string, string>>
export type AttemptRow = Selectable<Tables['attempt']>

/** The delivery of an attempt, as far as the attempt tells of it. */
interface OfDelivery {
  readonly webhook_id: string
  readonly event_id: string
}

/** `eventBody` is what was sent where the row has no body of its own. */
export function attemptOf(row: AttemptRow, delivery: OfDelivery, eventBody: string): Attempt {
  return {
    id: idOfNumber('attempt', row.seq),
    delivery_id: idOfNumber('delivery', deliveryOfKey(row.seq)),
    webhook_id: delivery.webhook_id,
    event_id: delivery.event_id,
    number: numberOfKey(row.seq),
    resend: row.resend,
    started_at: isoOf(row.started_at),
    duration_ms: row.duration_ms,
    timings: {
      dns_ms: row.dns_ms,
      connect_ms: row.connect_ms,
      tls_ms: row.tls_ms,
      first_byte_ms: row.first_byte_ms,
    },
    ok: row.ok === 1,
    status_code: row.status_code,
    error: row.error,
    error_detail: row.error_detail,
    remote_address: row.remote_address,
    http_version: row.http_version,
    method: row.method,
    // Here and not for every request: the row of the webhook has its URL in the clear too.
    url: redactUrl(row.url),
    request_headers: JSON.parse(row.request_headers) as Headers,
    request_body: row.request_body ?? eventBody,
    response_headers:
      row.response_headers === null ? null : (JSON.parse(row.response_headers) as Headers),
    response_body: row.response_body,
    response_truncated: row.response_truncated === 1,
    next_try_at: isoOrNull(row.next_try_at),
    decision: row.decision,
    earlier_requests: JSON.parse(row.earlier_requests ?? '[]') as EarlierRequest[],
  }
}

/** The attempts of a delivery, newest first; null: the account has no such delivery. */
export async function listAttempts(
  store: Store,
  accountId: string,
  deliveryId: string,
  page: PageRequest,
): Promise<Page<Attempt> | null> {
  // In one snapshot: retention may drop the partition between two statements.
  return await inSnapshot(store, async (trx) => {
    const delivery = await readDelivery(trx, accountId, deliveryId)
    if (delivery === null) return null
    const list = `attempts-${delivery.seq}`
    const below = belowOf(list, page.cursor)
    const [above, last] = keysOfDelivery(delivery.seq)
    const event = { seq: delivery.event_seq, day: delivery.event_day }
    const rows = await trx
      .selectFrom(partition('attempt', event.day))
      .selectAll('attempt')
      .where('attempt.seq', '>', above)
      .where('attempt.seq', '<', Math.min(below, last + 1))
      .orderBy('attempt.seq', 'desc')
      .limit(page.limit + 1)
      .execute()
    const body = bodyIn(await readBodies(trx, [event]), event.seq)
    return pageOfRows(list, page, rows, (row) => attemptOf(row, delivery, body))
  })
}
