import { api } from '#contracts/api.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { deliveryFilterOf } from '#server/http/search.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { serveList } from '#server/http/serve-list.ts'
import { searchAttempts } from '#server/store/attempt-search.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'

/** Each may hold a request and an answer of 64 KiB. */
const attemptsAtOnce = 50

export function serveDeliveries(serving: Serving, { store }: RouteDeps): void {
  serveList(serving, api.listDeliveries, 500, async ({ caller, query }, page) => {
    const filter = await deliveryFilterOf(store, caller.id, query)
    return await listDeliveries(store, caller.id, filter, page)
  })
  serve(serving, api.getDelivery, async ({ caller, params }) =>
    found(await getDelivery(store, caller.id, params.id)),
  )
  serveList(serving, api.listAttempts, attemptsAtOnce, async ({ caller, params }, page) =>
    found(await listAttempts(store, caller.id, params.id, page)),
  )
  serveList(serving, api.searchAttempts, attemptsAtOnce, async ({ caller, query }, page) => {
    const filter = { ...(await deliveryFilterOf(store, caller.id, query)), ok: query.ok }
    return await searchAttempts(store, caller.id, filter, page)
  })
}
