import { LRUCache } from 'lru-cache'
import type { Connector } from '#contracts/webhook/connector.ts'
import type { HangupCauses } from '#contracts/webhook/hangup-causes.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { prepareRequests, type Renderer } from '#server/domain/render/render.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import type { Store } from '#server/store/store.ts'
import { readRequest } from '#server/store/webhook-requests.ts'

/** As many as there may be busy webhooks; the rest are made again when they fire. */
const renderersKept = 10_000

/** How a webhook is sent to: by requests that are rendered, or by a connector. */
export type Prepared =
  | Renderer
  | { readonly connector: Connector; readonly hangupCauses: HangupCauses }

/** What makes the requests of each webhook, as its settings were when the delivery was leased. */
export interface Renderers {
  /** At once where it is there already: most requests then cost no turn of the event loop. */
  readonly of: (webhook: ClaimedWebhook) => Prepared | Promise<Prepared>
}

export function createRenderers(store: Store, version: string): Renderers {
  const known = new LRUCache<string, Prepared>({ max: renderersKept })
  const keep = (key: string, renderer: Prepared) => {
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
        keep(
          key,
          settings.connector === null
            ? prepareRequests(url, settings, version)
            : { connector: settings.connector, hangupCauses: settings.hangup_causes },
        ),
      )
    },
  }
}
