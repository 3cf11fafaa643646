/** Event + webhook → the request. Pure: the delivery, the preview and the tests share it. */

import type { Event } from '#contracts/events/catalogue.ts'
import type { Payload } from '#contracts/webhook/payload.ts'
import type { RequestSettings } from '#contracts/webhook/request.ts'
import { cloudEvent, cloudEventsType } from '#server/domain/render/cloudevents.ts'
import type { StoredEventObject } from '#server/domain/render/event-values.ts'
import { renameCause } from '#server/domain/render/hangup-causes.ts'
import { prepareHeaders, secretHeaders } from '#server/domain/render/headers.ts'
import { jsonOf, type Pairs, prepareMapped } from '#server/domain/render/mapped.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { phoneCloudPairs } from '#server/domain/render/phone-cloud.ts'
import { isHarmless, prepareTemplate, templateLimits } from '#server/domain/render/template.ts'
import { formText, preparePath, withQuery } from '#server/domain/render/url.ts'

/** The request of a delivery, still without its signature. */
export interface WebhookRequest {
  readonly method: RequestSettings['method']
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

type OAuth2 = Extract<RequestSettings['authentication'], { type: 'oauth2' }>

/** Makes the requests of one webhook. */
export interface Renderer {
  readonly method: RequestSettings['method']
  /** `body` is the event as `nativeBody` made it and as it is stored. Throws NotRenderedError. */
  readonly render: (body: string) => WebhookRequest
  /** The body is the event as it is stored, so that the log need not keep it again. */
  readonly native: boolean
  readonly signed: boolean
  /** Where the access token comes from that the request must have beside its headers; null: it wants none. */
  readonly oauth2: OAuth2 | null
  /** Names (lower case) of headers that the log must not show. */
  readonly secretHeaders: ReadonlySet<string>
  /** It runs what others wrote, which may take its whole time: not on the event loop. */
  readonly watched: boolean
}

/** `version` is Offhook's. What does not depend on the event is worked out here, once for all requests. */
export function prepareRequests(url: string, settings: RequestSettings, version: string): Renderer {
  const { method, format, payload } = settings
  const renames = Object.keys(settings.hangup_causes).length > 0
  const contentType = contentTypeOf(settings)
  const path = preparePath(url, settings.path_arguments)
  const headers = prepareHeaders(settings, {
    ...(contentType !== null && { 'content-type': contentType }),
    'user-agent': `Offhook/${version}`,
  })
  const told = {
    method,
    signed: settings.signed,
    oauth2: settings.authentication.type === 'oauth2' ? settings.authentication : null,
    secretHeaders: secretHeaders(settings),
    native: payload.style === 'native' && !renames,
    watched: payload.style === 'template' && !isHarmless(payload),
  }
  const readsEvent =
    payload.style !== 'native' ||
    renames ||
    settings.path_arguments.length + settings.headers.length > 0
  if (!readsEvent) {
    const fixed = { method, url: path({}), headers: headers({}) }
    return { ...told, render: (body) => ({ ...fixed, body }) }
  }
  const payloadOf = preparePayload(payload)
  return {
    ...told,
    render(body) {
      const event = renameCause(JSON.parse(body) as StoredEventObject, settings.hangup_causes)
      const made = payloadOf(event, renames ? JSON.stringify(event) : body)
      const request = { method, url: path(event), headers: headers(event) }
      const text = 'text' in made ? made.text : written(made, format)
      return format === 'query'
        ? { ...request, url: shortEnough(withQuery(request.url, text)), body: '' }
        : { ...request, url: shortEnough(request.url), body: text }
    },
  }
}

/** Servers take no more in the first line of a request (nginx and Apache httpd unless told otherwise). */
const longestUrl = 8192

/** Throws NotRenderedError. */
function shortEnough(url: string): string {
  if (url.length <= longestUrl) return url
  throw new NotRenderedError(
    `With the values of this event the URL has ${url.length} characters, ${longestUrl} at most are sent.`,
  )
}

/** As large as those of templates; native events are as large as they are. Throws NotRenderedError. */
function written({ pairs, nested }: Values, format: RequestSettings['format']): string {
  const text = format === 'json' ? jsonOf(pairs, nested) : formText(pairs)
  if (Buffer.byteLength(text) <= templateLimits.output) return text
  throw new NotRenderedError('With the values of this event the payload has more than 256 KiB.')
}

/** Null: there is no body. RFC 8259: JSON is UTF-8 and knows no charset parameter. */
function contentTypeOf({ format, payload }: RequestSettings): string | null {
  switch (format) {
    case 'json':
      if (payload.style === 'template') return payload.content_type
      return payload.style === 'cloudevents' ? cloudEventsType : 'application/json'
    case 'form':
      return 'application/x-www-form-urlencoded'
    case 'query':
      return null
  }
}

/** Request keys with values, for the format to write. */
interface Values {
  readonly pairs: Pairs
  readonly nested: boolean
}

/** A body that is ready, or values. */
type Made = { readonly text: string } | Values

function preparePayload(payload: Payload): (event: StoredEventObject, body: string) => Made {
  switch (payload.style) {
    case 'native':
      return (_event, body) => ({ text: body })
    case 'phone-cloud':
      return (event) => ({ pairs: phoneCloudPairs(event), nested: false })
    case 'cloudevents':
      return (event) => ({ text: cloudEvent(event as unknown as Event) })
    case 'template': {
      const textOf = prepareTemplate(payload)
      return (event) => ({ text: textOf(event) })
    }
    case 'mapped': {
      const pairsOf = prepareMapped(payload)
      return (event) => ({ pairs: pairsOf(event), nested: payload.nested })
    }
  }
}
