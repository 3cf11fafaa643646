/** The headers of a request, but those of the signature. */
import { isSecretName } from '#contracts/secret-name.ts'
import { authenticationHeader } from '#contracts/webhook/consistency.ts'
import type { RequestSettings } from '#contracts/webhook/request.ts'
import { type StoredEventObject, textOf, valueAt } from '#server/domain/render/event-values.ts'
import { prepareFieldText } from '#server/domain/render/field-text.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'

type Headers = Readonly<Record<string, string>>

/** `given`: what every request of the webhook has; the webhook's own go over it. Names in lower case. */
export function prepareHeaders(
  { authentication, headers }: Pick<RequestSettings, 'authentication' | 'headers'>,
  given: Headers,
): (event: StoredEventObject) => Headers {
  const fixed = { ...given, ...authenticationHeaders(authentication) }
  if (headers.length === 0) return () => fixed
  const own = headers.map(({ name, value }) => ({
    name: name.toLowerCase(),
    text: prepareFieldText(value),
  }))
  return (event) => {
    const values = own.map(({ name, text }) => {
      const value = text(event, (path) => headerSafe(textOf(valueAt(event, path))))
      // RFC 9110 5.5: a value neither begins nor ends with a space.
      return [name, value.trim()] as const
    })
    const made = { ...fixed, ...Object.fromEntries(values) }
    checkSize(made)
    return made
  }
}

/** Values of fields may be long; what no server takes need not be sent. Node's own servers take so much. */
const mostBytes = 16 * 1024

/** Throws NotRenderedError. */
function checkSize(headers: Headers): void {
  let bytes = 0
  for (const [name, value] of Object.entries(headers)) bytes += name.length + value.length + 4
  if (bytes <= mostBytes) return
  throw new NotRenderedError(
    `With the values of this event the headers have ${bytes} bytes, ${mostBytes} at most are sent.`,
  )
}

/** Names (lower case) of headers that carry secrets: as they are set, or by what they are called. */
export function secretHeaders({
  authentication,
  headers,
}: Pick<RequestSettings, 'authentication' | 'headers'>): ReadonlySet<string> {
  const names = headers
    .filter(({ name, secret }) => secret || isSecretName(name))
    .map(({ name }) => name.toLowerCase())
  const own = authenticationHeader(authentication)
  return new Set(own === null ? names : [...names, own])
}

/** What a caller chose cannot end the header: all but printable ASCII is percent-encoded, and so is %. */
function headerSafe(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x20-\x24\x26-\x7e]+/gu, encodeURIComponent)
}

function authenticationHeaders(authentication: RequestSettings['authentication']): Headers {
  switch (authentication.type) {
    case 'none':
      return {}
    // Its token comes later, when there is one.
    case 'oauth2':
      return {}
    case 'basic': {
      const { username, password } = authentication
      // RFC 7617 with UTF-8, as its `charset` parameter asks for.
      const credentials = Buffer.from(`${username}:${password}`, 'utf8').toString('base64')
      return { authorization: `Basic ${credentials}` }
    }
    case 'token': {
      const { header, prefix, token } = authentication
      return { [header.toLowerCase()]: prefix === '' ? token : `${prefix} ${token}` }
    }
    case 'pbx_token':
      return { 'x-pbx-token': authentication.token }
  }
}
