import { api } from '#contracts/api.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { eventFilterOf } from '#server/http/search.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { serveList } from '#server/http/serve-list.ts'
import { getEvent, listEvents } from '#server/store/events.ts'
import { explainEvent } from '#server/store/explain.ts'

export function serveEvents(serving: Serving, { store, now }: RouteDeps): void {
  serveList(serving, api.listEvents, 200, async ({ caller, query }, page) => {
    const filter = await eventFilterOf(store, caller.id, query)
    return await listEvents(store, caller.id, filter, page)
  })
  serve(serving, api.getEvent, async ({ caller, params }) =>
    found(await getEvent(store, caller.id, params.id)),
  )
  serve(serving, api.explainEvent, async ({ caller, params, query }) => {
    const { event, verdicts } = found(await explainEvent(store, caller.id, params.id, query, now()))
    return { event, ...verdicts }
  })
}
