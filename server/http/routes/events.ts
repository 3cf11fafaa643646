import { api } from '#contracts/api.ts'
import { found, periodOf, type RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { getEvent, listEvents } from '#server/store/events.ts'

export function serveEvents(serving: Serving, { store }: RouteDeps): void {
  serve(serving, api.listEvents, async ({ caller, query }) => {
    const filter = {
      type: query.type,
      serviceUuid: query.service_uuid,
      callUuid: query.call_uuid,
      ...periodOf(query),
    }
    return await listEvents(store, caller.id, filter, query)
  })
  serve(serving, api.getEvent, async ({ caller, params }) =>
    found(await getEvent(store, caller.id, params.id)),
  )
}
