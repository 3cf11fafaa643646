import { api } from '#contracts/api.ts'
import { found, periodOf, type RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { serveList } from '#server/http/serve-list.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { getDelivery, listDeliveries } from '#server/store/deliveries.ts'

/** Each may hold a request and an answer of 64 KiB. */
const attemptsAtOnce = 50

export function serveDeliveries(serving: Serving, { store }: RouteDeps): void {
  serveList(serving, api.listDeliveries, 500, async ({ caller, query }, page) => {
    const filter = {
      webhookId: query.webhook_id,
      state: query.state,
      eventType: query.event_type,
      callUuid: query.call_uuid,
      ...periodOf(query),
    }
    return await listDeliveries(store, caller.id, filter, page)
  })
  serve(serving, api.getDelivery, async ({ caller, params }) =>
    found(await getDelivery(store, caller.id, params.id)),
  )
  serveList(serving, api.listAttempts, attemptsAtOnce, async ({ caller, params }, page) =>
    found(await listAttempts(store, caller.id, params.id, page)),
  )
}
