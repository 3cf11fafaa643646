import type { Selectable } from 'kysely'
import type { Attempt } from '#contracts/delivery.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { idOfNumber, numberOfId } from '#server/store/new-id.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import type { Tables } from '#server/store/schema.ts'
import type { Store } from '#server/store/store.ts'
import { isoOf, isoOrNull } from '#server/store/times.ts'

type Headers = Readonly<Record<string, string>>
type Row = Selectable<Tables['attempt']> & { readonly event_body: string }

function attemptOf(row: Row): Attempt {
  return {
    id: idOfNumber('attempt', row.seq),
    delivery_id: idOfNumber('delivery', row.delivery_seq),
    number: row.number,
    started_at: isoOf(row.started_at),
    duration_ms: row.duration_ms,
    ok: row.ok === 1,
    status_code: row.status_code,
    error: row.error,
    error_detail: row.error_detail,
    request_headers: JSON.parse(row.request_headers) as Headers,
    request_body: row.request_body ?? row.event_body,
    response_headers:
      row.response_headers === null ? null : (JSON.parse(row.response_headers) as Headers),
    response_body: row.response_body,
    response_truncated: row.response_truncated === 1,
    next_try_at: isoOrNull(row.next_try_at),
    decision: row.decision,
  }
}

/** The attempts of a delivery, newest first; null: the account has no such delivery. */
export async function listAttempts(
  store: Store,
  accountId: string,
  deliveryId: string,
  page: PageRequest,
): Promise<Page<Attempt> | null> {
  const seq = numberOfId('delivery', deliveryId)
  if (seq === null || (await getDelivery(store, accountId, deliveryId)) === null) return null
  const list = `attempts ${seq}`.replace(' ', '-')
  const rows = await store.read
    .selectFrom('attempt')
    .innerJoin('delivery', 'delivery.seq', 'attempt.delivery_seq')
    .innerJoin('event_body', 'event_body.event_seq', 'delivery.event_seq')
    .selectAll('attempt')
    .select('event_body.body as event_body')
    .where('attempt.delivery_seq', '=', seq)
    .where('attempt.seq', '<', belowOf(list, page.cursor))
    .orderBy('attempt.number', 'desc')
    .limit(page.limit + 1)
    .execute()
  return pageOfRows(list, page, rows, attemptOf)
}
