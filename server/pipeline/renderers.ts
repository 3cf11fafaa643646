import { LRUCache } from 'lru-cache'
import type { Connector } from '#contracts/webhook/connector.ts'
import type { HangupCauses } from '#contracts/webhook/hangup-causes.ts'
import { plainRequest, type RequestSettings } from '#contracts/webhook/request.ts'
import {
  prepareRequests,
  type Renderer,
  type WebhookRequest,
} from '#server/domain/render/render.ts'
import type { Templates } from '#server/pipeline/templates.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import type { Store } from '#server/store/store.ts'
import { readRequest } from '#server/store/webhook-requests.ts'

/** As many as there may be busy webhooks; the rest are made again when they fire. */
const renderersKept = 10_000

/** As `Renderer`; what must not run on the event loop comes later. */
export interface PreparedRequests extends Omit<Renderer, 'render' | 'watched'> {
  /** Throws or rejects with NotRenderedError. */
  readonly render: (body: string) => WebhookRequest | Promise<WebhookRequest>
}

/** How a webhook is sent to: by requests that are rendered, or by a connector. */
export type Prepared =
  | PreparedRequests
  | { readonly connector: Connector; readonly hangupCauses: HangupCauses }

/** What makes the requests of each webhook, as its settings were when the delivery was leased. */
export interface Renderers {
  /** At once where it is there already: most requests then cost no turn of the event loop. */
  readonly of: (webhook: ClaimedWebhook) => Prepared | Promise<Prepared>
}

interface RenderDeps {
  readonly store: Store
  readonly templates: Pick<Templates, 'requests'>
  /** Offhook's. */
  readonly version: string
}

export function createRenderers({ store, templates, version }: RenderDeps): Renderers {
  const known = new LRUCache<string, Prepared>({ max: renderersKept })
  const keep = (key: string, renderer: Prepared) => {
    known.set(key, renderer)
    return renderer
  }
  const requestsOf = (url: string, settings: RequestSettings): PreparedRequests => {
    const renderer = prepareRequests(url, settings, version)
    if (!renderer.watched) return renderer
    return { ...renderer, render: templates.requests(url, settings, version) }
  }
  return {
    of({ id, url, requestVersion }) {
      // Webhooks with the plain request differ by their URL only.
      const key = requestVersion === null ? url : `${requestVersion} ${url}`
      const renderer = known.get(key)
      if (renderer !== undefined) return renderer
      if (requestVersion === null) return keep(key, requestsOf(url, plainRequest))
      return readRequest(store, id).then((settings) =>
        keep(
          key,
          settings.connector === null
            ? requestsOf(url, settings)
            : { connector: settings.connector, hangupCauses: settings.hangup_causes },
        ),
      )
    },
  }
}
