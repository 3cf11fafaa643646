import { api } from '#contracts/api.ts'
import { found, periodOf, type RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { getDelivery, listDeliveries } from '#server/store/deliveries.ts'

export function serveDeliveries(serving: Serving, { store }: RouteDeps): void {
  serve(serving, api.listDeliveries, async ({ caller, query }) => {
    const filter = {
      webhookId: query.webhook_id,
      state: query.state,
      eventType: query.event_type,
      callUuid: query.call_uuid,
      ...periodOf(query),
    }
    return await listDeliveries(store, caller.id, filter, query)
  })
  serve(serving, api.getDelivery, async ({ caller, params }) =>
    found(await getDelivery(store, caller.id, params.id)),
  )
  serve(serving, api.listAttempts, async ({ caller, params, query }) =>
    found(await listAttempts(store, caller.id, params.id, query)),
  )
}
