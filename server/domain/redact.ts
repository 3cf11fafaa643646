/** What stands in the log where a secret was. */
export const redacted = '***'

/**
 * Names of headers and query parameters that carry credentials, by definition or as people call them. Signatures stay:
 * they open nothing, and receivers compare them. `www-authenticate` stays: it says what the receiver wants.
 */
const secretName =
  /auth(?!enticate)|cookie|token|secret|passw|pwd|credential|session|(api|access)[-_]?key|^key$|^sig$/i

/** A million requests carry the same few names; asking the expression for each costs more than all the rest here. */
const secretNames = new Map<string, boolean>()
const namesKept = 1_000

function isSecret(name: string): boolean {
  const known = secretNames.get(name)
  if (known !== undefined) return known
  const secret = secretName.test(name)
  if (secretNames.size >= namesKept) secretNames.clear()
  secretNames.set(name, secret)
  return secret
}

const none: ReadonlySet<string> = new Set()

/** The headers as the log may have them: same names, secret values replaced. `known`: names that carry secrets in any case. */
export function redactHeaders(
  headers: Readonly<Record<string, string>>,
  known: ReadonlySet<string> = none,
): Readonly<Record<string, string>> {
  const hidden = (name: string) => known.has(name) || isSecret(name)
  if (!Object.keys(headers).some(hidden)) return headers
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, hidden(name) ? redacted : value]),
  )
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
    if (secretName.test(name)) url.searchParams.set(name, redacted)
  }
  return url.href
}
