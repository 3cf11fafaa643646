/** What of a webhook's settings does not go together, though each by itself is right. */
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import type { MappedPayload } from '#contracts/webhook/payload.ts'
import { plainRequest, type RequestSettings } from '#contracts/webhook/request.ts'

export interface ConsistentSettings extends RequestSettings {
  readonly url: string
  readonly scope: WebhookScope
  readonly service_uuid: string | null
  readonly triggers: readonly EventType[]
}

export const webhookScopes = ['account', 'service', 'global', 'call_flow'] as const
export type WebhookScope = (typeof webhookScopes)[number]

export interface Inconsistency {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** What a rule looks at, and what it finds. */
interface Rule {
  readonly reads: readonly (keyof ConsistentSettings)[]
  readonly find: (settings: ConsistentSettings) => readonly Inconsistency[]
}

/** What says how the one request of other webhooks is made. */
const ofOneRequest = [
  ...(['method', 'format', 'path_arguments', 'authentication'] as const),
  ...(['signed', 'headers', 'payload'] as const),
]

const rules: readonly Rule[] = [
  { reads: ['scope', 'service_uuid'], find: ofScope },
  { reads: ['scope', 'payload', 'authentication'], find: ofGlobal },
  { reads: ['method', 'format', 'payload'], find: ofFormat },
  { reads: ['authentication', 'headers'], find: ofHeaders },
  { reads: ['payload'], find: ofKeys },
  { reads: ['url', 'format', 'payload'], find: ofQuery },
  { reads: ['payload', 'triggers'], find: ofPhoneCloud },
  { reads: ['connector', 'triggers', 'url', ...ofOneRequest], find: ofConnector },
]

/** `wrong`: settings that are none, each by itself; nothing is said of how they go together with others. */
export function inconsistencies(
  settings: ConsistentSettings,
  wrong: ReadonlySet<PropertyKey | undefined> = new Set(),
): readonly Inconsistency[] {
  return rules
    .filter(({ reads }) => !reads.some((name) => wrong.has(name)))
    .flatMap(({ find }) => find(settings))
}

function ofScope({ scope, service_uuid }: ConsistentSettings): Inconsistency[] {
  if (scope === 'account') {
    return service_uuid === null
      ? []
      : [{ path: ['scope'], message: 'must be service or global with a service_uuid' }]
  }
  if (service_uuid === null) {
    return [{ path: ['service_uuid'], message: `must name a service with scope ${scope}` }]
  }
  return []
}

/** Global webhooks are those of the Phone Cloud document: its format, its token. */
function ofGlobal({ scope, payload, authentication }: ConsistentSettings): Inconsistency[] {
  if (scope !== 'global') return []
  const wrong: Inconsistency[] = []
  if (payload.style !== 'phone-cloud') {
    wrong.push({ path: ['payload'], message: 'must have the style phone-cloud with scope global' })
  }
  if (authentication.type !== 'pbx_token') {
    const message = 'must be of type pbx_token with scope global: the secret token'
    wrong.push({ path: ['authentication'], message })
  }
  return wrong
}

const phoneCloudTypes = eventTypes.filter((type) => eventCatalogue[type].phoneCloudType !== null)

/** Triggers for which the Phone Cloud format has no event. */
function ofPhoneCloud({ payload, triggers }: ConsistentSettings): Inconsistency[] {
  if (payload.style !== 'phone-cloud') return []
  return triggers.flatMap((type, i) =>
    eventCatalogue[type].phoneCloudType === null
      ? [
          {
            path: ['triggers', i],
            message: `must be an event of the Phone Cloud format, which ${type} is not: one of ${phoneCloudTypes.join(', ')}`,
          },
        ]
      : [],
  )
}

function ofFormat({ method, format, payload }: ConsistentSettings): Inconsistency[] {
  const wrong: Inconsistency[] = []
  if (method === 'GET' && format !== 'query') {
    wrong.push({ path: ['format'], message: 'must be query with GET, which has no body' })
  }
  const whole = (['native', 'cloudevents', 'template'] as const).some((s) => s === payload.style)
  if (whole && (method === 'GET' || format !== 'json')) {
    const where = method === 'GET' ? 'GET, which has no body' : `the format ${format}`
    const message = `must be mapped or phone-cloud with ${where}: ${payload.style} has no single values`
    wrong.push({ path: ['payload'], message })
  }
  return wrong
}

/** A header that the authentication sets as well. */
function ofHeaders({ authentication, headers }: ConsistentSettings): Inconsistency[] {
  const own = authenticationHeader(authentication)
  if (own === null) return []
  const at = headers.findIndex(({ name }) => name.toLowerCase() === own)
  return at === -1
    ? []
    : [{ path: ['headers', at, 'name'], message: 'is set by the authentication already' }]
}

/** The header by which a request is let in, in lower case; null: there is none. */
export function authenticationHeader(
  authentication: RequestSettings['authentication'],
): string | null {
  switch (authentication.type) {
    case 'none':
      return null
    case 'pbx_token':
      return 'x-pbx-token'
    case 'token':
      return authentication.header.toLowerCase()
    default:
      return 'authorization'
  }
}

/** A connector makes its own requests: those settings would be without effect. */
function ofConnector({
  connector,
  triggers,
  url,
  ...request
}: ConsistentSettings): Inconsistency[] {
  if (connector === null) return []
  const unlike = ofOneRequest.filter((name) => !isPlain(name, request))
  const wrong = triggers.findIndex((type) => type !== 'call.ended')
  const { pathname, search } = new URL(url)
  return [
    ...(pathname === '/' && search === ''
      ? []
      : [
          {
            path: ['url'],
            message: `must have no path and no query with the ${connector.type} connector, which has its own`,
          },
        ]),
    ...unlike.map((name) => ({
      path: [name],
      message: `must not be set with the ${connector.type} connector, which makes its own requests`,
    })),
    ...(wrong === -1
      ? []
      : [
          {
            path: ['triggers', wrong],
            message: `must be call.ended with the ${connector.type} connector: one Task per call`,
          },
        ]),
  ]
}

function isPlain(
  name: (typeof ofOneRequest)[number],
  request: Pick<RequestSettings, (typeof ofOneRequest)[number]>,
): boolean {
  return JSON.stringify(request[name]) === JSON.stringify(plainRequest[name])
}

/** In a nested payload a key cannot be both a value and an object that has values. */
function ofKeys({ payload }: ConsistentSettings): Inconsistency[] {
  return payload.style === 'mapped' && payload.nested ? crossingKeys(payload) : []
}

/** Which of two values of one name counts, each receiver decides by itself. */
function ofQuery({ url, format, payload }: ConsistentSettings): Inconsistency[] {
  if (format !== 'query' || payload.style !== 'mapped') return []
  const there = new Set(new URL(url).searchParams.keys())
  return payload.fields.flatMap(({ key }, i) =>
    there.has(key)
      ? [{ path: ['payload', 'fields', i, 'key'], message: 'is in the query of the URL already' }]
      : [],
  )
}

function crossingKeys({ fields }: MappedPayload): Inconsistency[] {
  const keys = new Set(fields.map(({ key }) => key))
  return fields.flatMap(({ key }, i) => {
    const path = ['payload', 'fields', i, 'key']
    const steps = key.split('.')
    if (steps.some((step) => step === '')) {
      return [{ path, message: 'must not begin or end with a dot, or have two in a row' }]
    }
    const above = steps.slice(1).map((_, n) => steps.slice(0, n + 1).join('.'))
    const crossed = above.find((one) => keys.has(one))
    return crossed === undefined
      ? []
      : [{ path, message: `cannot be within "${crossed}", which is a value already` }]
  })
}
