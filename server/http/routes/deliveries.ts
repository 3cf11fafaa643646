import { api } from '#contracts/api.ts'
import type { AttemptError, DeliveryState } from '#contracts/delivery.ts'
import type { EventType } from '#contracts/events/catalogue.ts'
import { statusRange } from '#contracts/search.ts'
import { numberKeysOf } from '#server/http/number-search.ts'
import { found, periodOf, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, type Serving, serve } from '#server/http/serve.ts'
import { serveList } from '#server/http/serve-list.ts'
import { searchAttempts } from '#server/store/attempt-search.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { type DeliveryFilter, listDeliveries } from '#server/store/delivery-search.ts'
import type { Store } from '#server/store/store.ts'

/** Each may hold a request and an answer of 64 KiB. */
const attemptsAtOnce = 50

/** What the searches of deliveries and of attempts have in common. */
interface Search {
  readonly webhook_id?: string | undefined
  readonly state?: DeliveryState | undefined
  readonly event_type?: EventType | undefined
  readonly event_id?: string | undefined
  readonly service_uuid?: string | undefined
  readonly call_uuid?: string | undefined
  readonly number?: string | undefined
  readonly status_code?: string | undefined
  readonly error?: AttemptError | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

async function filterOf(store: Store, caller: Caller, query: Search): Promise<DeliveryFilter> {
  return {
    webhookId: query.webhook_id,
    state: query.state,
    eventType: query.event_type,
    eventId: query.event_id,
    serviceUuid: query.service_uuid,
    callUuid: query.call_uuid,
    numberKeys: await numberKeysOf(store, caller, query.number),
    status: query.status_code === undefined ? undefined : statusRange(query.status_code),
    error: query.error,
    ...periodOf(query),
  }
}

export function serveDeliveries(serving: Serving, { store }: RouteDeps): void {
  serveList(serving, api.listDeliveries, 500, async ({ caller, query }, page) => {
    const filter = await filterOf(store, caller, query)
    return await listDeliveries(store, caller.id, filter, page)
  })
  serve(serving, api.getDelivery, async ({ caller, params }) =>
    found(await getDelivery(store, caller.id, params.id)),
  )
  serveList(serving, api.listAttempts, attemptsAtOnce, async ({ caller, params }, page) =>
    found(await listAttempts(store, caller.id, params.id, page)),
  )
  serveList(serving, api.searchAttempts, attemptsAtOnce, async ({ caller, query }, page) => {
    const filter = { ...(await filterOf(store, caller, query)), ok: query.ok }
    return await searchAttempts(store, caller.id, filter, page)
  })
}
