import { LRUCache } from 'lru-cache'
import { plainRequest } from '#contracts/webhook/request.ts'
import { prepareRequests, type Renderer } from '#server/domain/render/render.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import type { Store } from '#server/store/store.ts'
import { readRequest } from '#server/store/webhook-requests.ts'

/** As many as there may be busy webhooks; the rest are made again when they fire. */
const renderersKept = 10_000

/** What makes the requests of each webhook, as its settings were when the delivery was leased. */
export interface Renderers {
  /** At once where it is there already: most requests then cost no turn of the event loop. */
  readonly of: (webhook: ClaimedWebhook) => Renderer | Promise<Renderer>
}

export function createRenderers(store: Store, version: string): Renderers {
  const known = new LRUCache<string, Renderer>({ max: renderersKept })
  const keep = (key: string, renderer: Renderer) => {
    known.set(key, renderer)
    return renderer
  }
  return {
    of({ id, url, requestVersion }) {
      // Webhooks with the plain request differ by their URL only.
      const key = requestVersion === null ? url : `${requestVersion} ${url}`
      const renderer = known.get(key)
      if (renderer !== undefined) return renderer
      if (requestVersion === null) return keep(key, prepareRequests(url, plainRequest, version))
      return readRequest(store, id).then((settings) =>
        keep(key, prepareRequests(url, settings, version)),
      )
    },
  }
}
