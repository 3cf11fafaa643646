/** What the log may show of requests and answers. Pure. */
import { isSecretName } from '#contracts/secret-name.ts'

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

/** Shorter ones are found in the middle of words, and hide nothing. */
const shortestFound = 6

/** The text without these secrets, wherever they stand in it. */
export function redactText(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= shortestFound)
    .reduce((rest, secret) => rest.replaceAll(secret, redacted), text)
}

/** The same for a text that was cut off, perhaps in the middle of a secret. */
export function redactCutText(text: string, secrets: readonly string[]): string {
  const whole = redactText(text, secrets)
  const cut = Math.max(0, ...secrets.map((secret) => lengthOfCut(whole, secret)))
  return cut === 0 ? whole : `${whole.slice(0, -cut)}${redacted}`
}

/** How much of the beginning of the secret the text ends with; too little to tell counts as none. */
function lengthOfCut(text: string, secret: string): number {
  for (let length = secret.length - 1; length >= shortestFound; length -= 1) {
    if (text.endsWith(secret.slice(0, length))) return length
  }
  return 0
}

/** What is secret in these headers: values, what stands behind a word like Bearer, the password of Basic. The longest first. */
export function secretsIn(
  headers: Readonly<Record<string, string>>,
  names: ReadonlySet<string>,
): readonly string[] {
  if (names.size === 0) return []
  const found = [...names].flatMap((name) => {
    const value = headers[name]
    if (value === undefined) return []
    const [, scheme, rest] = /^(\S+) (\S+)$/.exec(value) ?? []
    if (scheme === undefined || rest === undefined) return [value]
    const password =
      scheme === 'Basic' ? /:(.+)$/s.exec(Buffer.from(rest, 'base64').toString()) : null
    return [value, rest, ...(password?.[1] === undefined ? [] : [password[1]])]
  })
  return found.toSorted((a, b) => b.length - a.length)
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
