/** What a webhook would send of an event. Pure, and by the functions of the delivery itself. */
import { type Event, type EventType, eventCatalogue } from '#contracts/events/catalogue.ts'
import { eventFields } from '#contracts/events/field-names.ts'
import { fieldPath } from '#contracts/field-path.ts'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import type { Preview } from '#contracts/preview.ts'
import type { Connector } from '#contracts/webhook/connector.ts'
import { partsOf } from '#contracts/webhook/field-text.ts'
import type { RequestSettings } from '#contracts/webhook/request.ts'
import { renameCause } from '#server/domain/render/hangup-causes.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'
import { endedCall } from '#server/domain/salesforce/ended-call.ts'
import { nobody } from '#server/domain/salesforce/people.ts'
import { apiUrl, type EndedCall, taskUpsert } from '#server/domain/salesforce/task.ts'

export interface Previewed {
  readonly event: Event
  readonly url: string
  readonly request: RequestSettings
  /** Offhook's. */
  readonly version: string
  /** Epoch milliseconds. */
  readonly now: number
}

export type PreviewedRequest = NonNullable<Preview['request']>

/** The request, its secrets and its signature masked: no secret need be known. Throws NotRenderedError. */
export function previewRequest({ event, url, request, version, now }: Previewed): PreviewedRequest {
  if (request.connector !== null) {
    const renamed = renameCause(endedCall(event), request.hangup_causes)
    return previewTask(renamed, url, request.connector, version)
  }
  const { render, secretHeaders, signed, oauth2 } = prepareRequests(url, request, version)
  const { headers, ...rest } = render(nativeBody(event))
  const shown = Object.entries(headers).map(([name, value]) => [
    name,
    secretHeaders.has(name) ? hiddenSecret : value,
  ])
  const signature = {
    'webhook-id': event.id,
    'webhook-timestamp': String(Math.floor(now / 1000)),
    'webhook-signature': `v1,${hiddenSecret}`,
  }
  return {
    ...rest,
    headers: {
      ...Object.fromEntries(shown),
      ...(oauth2 && { authorization: hiddenSecret }),
      ...(signed && signature),
    },
  }
}

/** The last request of the connector, without what the others find out. */
function previewTask(
  event: EndedCall,
  url: string,
  settings: Connector,
  version: string,
): PreviewedRequest {
  const { path, body } = taskUpsert({ event, settings, test: false }, nobody)
  return {
    method: 'PATCH',
    url: apiUrl(url, settings, path),
    headers: {
      accept: 'application/json',
      'user-agent': `Offhook/${version}`,
      authorization: hiddenSecret,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  }
}

const clear = (address: string) => new URL(address).protocol === 'http:'

/** Secrets that whoever is on the way can read. */
function clearTextHints({ url, authentication, headers }: HintedSettings): Preview['hints'] {
  const hint = (field: string) => ({
    field,
    message: 'goes to an http:// address: whoever is on the way can read it',
  })
  const token =
    authentication.type === 'oauth2' && clear(authentication.token_url)
      ? [hint('authentication.client_secret')]
      : []
  if (!clear(url)) return token
  return [
    ...token,
    ...(authentication.type === 'none' ? [] : [hint('authentication')]),
    ...headers.flatMap(({ secret }, i) => (secret ? [hint(fieldPath(['headers', i]))] : [])),
  ]
}

function connectorHints({ url }: HintedSettings, { login }: Connector): Preview['hints'] {
  const message =
    'whose number it is, is looked up when the call is sent; the Task gets its WhoId then'
  const lookedUp = { field: 'connector', message }
  if (!clear(url)) return [lookedUp]
  const inClear =
    login.type === 'client_credentials'
      ? {
          field: 'connector.login.client_secret',
          message: 'goes to an http:// address: whoever is on the way can read it',
        }
      : {
          field: 'connector.login.private_key',
          message:
            'signs in at an http:// address: whoever is on the way can sign in with what it signed',
        }
  return [inClear, lookedUp]
}

/** The format has no event of the type, so nothing is in it. */
function formatHints(type: EventType, { style }: RequestSettings['payload']): Preview['hints'] {
  if (style !== 'phone-cloud' || eventCatalogue[type].phoneCloudType !== null) return []
  return [{ field: 'payload', message: `the Phone Cloud format has no event for ${type}` }]
}

/** Where the part of a user has what only the record of the whole call has by that name. */
const ofPart: Readonly<Record<string, string>> = {
  'call.duration': 'part.duration',
  'call.bill_duration': 'part.talk_duration',
  'call.status': 'part.outcome',
}

function neverHas(type: EventType, field: string): string {
  const instead = ofPart[field]
  const known = instead !== undefined && eventFields.get(instead)?.triggers.includes(type) === true
  return `${type} never has ${field}${known ? ` (that of the user is ${instead})` : ''}`
}

type HintedSettings = RequestSettings & { readonly url: string }

/** What is allowed and perhaps not meant: secrets in clear text, fields that events of this type never have. */
export function previewHints(
  { type }: Pick<Event, 'type'>,
  settings: HintedSettings,
): Preview['hints'] {
  const { payload, path_arguments, headers, connector } = settings
  const absent = (field: string) => eventFields.get(field)?.triggers.includes(type) === false
  const textHints = (text: string, path: readonly (string | number)[]) =>
    partsOf(text).flatMap((part) =>
      'field' in part && absent(part.field)
        ? [
            {
              field: fieldPath(path),
              message: `${neverHas(type, part.field)}: it is empty there`,
            },
          ]
        : [],
    )
  const fields = payload.style === 'mapped' ? payload.fields : []
  if (connector !== null) return connectorHints(settings, connector)
  return [
    ...clearTextHints(settings),
    ...formatHints(type, payload),
    ...path_arguments.flatMap((text, i) => textHints(text, ['path_arguments', i])),
    ...headers.flatMap(({ value }, i) => textHints(value, ['headers', i, 'value'])),
    ...fields.flatMap(({ field, value }, i) => {
      const path = ['payload', 'fields', i]
      if (value !== null) return textHints(value, [...path, 'value'])
      return field !== null && absent(field)
        ? [
            {
              field: fieldPath([...path, 'field']),
              message: `${neverHas(type, field)}: it is ${absentAs(payload)}`,
            },
          ]
        : []
    }),
  ]
}

function absentAs(payload: RequestSettings['payload']): string {
  return payload.style === 'mapped' && payload.absent === 'omit'
    ? 'left out'
    : 'null, empty in QUERY'
}
