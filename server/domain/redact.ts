/** What the log may show of requests and answers. Pure. */
import { isSecretName } from '#contracts/secret-name.ts'
import { placesOf, type Wanted, wantedOf } from '#server/domain/secret-search.ts'

/** What stands in the log where a secret was. */
export const redacted = '***'

const none: ReadonlySet<string> = new Set()

/** The headers as the log may have them: same names, secret values replaced. `known`: names that carry secrets in any case. */
export function redactHeaders(
  headers: Readonly<Record<string, string>>,
  known: ReadonlySet<string> = none,
): Readonly<Record<string, string>> {
  const hidden = (name: string) => known.has(name) || isSecretName(name)
  if (!Object.keys(headers).some(hidden)) return headers
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, hidden(name) ? redacted : value]),
  )
}

export interface Redactor {
  /** The text without the secrets, in whatever form they stand in it. */
  readonly text: (text: string) => string
  /** The same for a text that was cut off, perhaps in the middle of a secret. */
  readonly cutText: (text: string) => string
}

const showsAll: Redactor = { text: (text) => text, cutText: (text) => text }

export function redactorOf(secrets: readonly string[]): Redactor {
  const wanted = wantedOf(secrets)
  if (wanted === null) return showsAll
  return {
    text: (text) => withoutPlaces(wanted, text, false),
    cutText: (text) => withoutPlaces(wanted, text, true),
  }
}

export const redactText = (text: string, secrets: readonly string[]): string =>
  redactorOf(secrets).text(text)

function withoutPlaces(wanted: Wanted, text: string, cut: boolean): string {
  const bytes = Buffer.from(text)
  const places = placesOf(wanted, text, bytes, cut)
  if (places === null) return redacted
  if (places.length === 0) return text
  const parts: string[] = []
  let shown = 0
  for (const { from, to } of places) {
    if (from >= shown) parts.push(bytes.toString('utf8', shown, from), redacted)
    shown = Math.max(shown, to)
  }
  return parts.join('') + bytes.toString('utf8', shown)
}

/** What is secret in these headers: their values, and what a receiver may take out of them. */
export function secretsIn(
  headers: Readonly<Record<string, string>>,
  names: ReadonlySet<string>,
): readonly string[] {
  if (names.size === 0) return []
  const found = [...names].flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [value, ...behindWords(value), ...namedValues(value)]
  })
  return [...new Set(found)]
}

/** The last word is the token in any case; more of them, for a token of several words has less to be told by. */
const mostWords = 8

/** What stands behind a word like Bearer, or behind several; of Basic what it means. */
function behindWords(value: string): readonly string[] {
  const found: string[] = []
  let from = value.indexOf(' ') + 1
  if (from === 0) return found
  for (let words = 1; from > 0 && words <= mostWords; words += 1) {
    found.push(value.slice(from))
    from = value.indexOf(' ', from) + 1
  }
  found.push(value.slice(value.lastIndexOf(' ') + 1))
  if (/^basic /i.test(value)) found.push(basicSecret(value.slice('Basic '.length)))
  return found
}

/** Without a password it is the name that lets in, as with the keys of many an API. */
function basicSecret(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString()
  const colon = text.indexOf(':')
  return colon < 0 || colon === text.length - 1 ? text.replace(/:$/, '') : text.slice(colon + 1)
}

/** Of cookies, and of parameters as in `Token token="…"`. A comma may end a parameter, or be part of a cookie. */
function namedValues(value: string): readonly string[] {
  if (!value.includes('=')) return []
  return [...value.split(';'), ...value.split(/[;,]/)].flatMap((part) => {
    const [, own = ''] = /=([^=].*)$/s.exec(part.trim()) ?? []
    return own === '' ? [] : [own, own.replace(/^"(.*)"$/s, '$1')]
  })
}

/**
 * The URL as the log may have it: without credentials before the host, values of query parameters with a telling name
 * replaced. A text that is no absolute URL may be anything, so nothing of it is shown.
 */
export function redactUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null) return redacted
  url.username = ''
  url.password = ''
  for (const name of new Set(url.searchParams.keys())) {
    // Setting one parameter writes the whole query anew, so a URL without secrets is left as it was.
    if (isSecretName(name)) url.searchParams.set(name, redacted)
  }
  return url.href
}
