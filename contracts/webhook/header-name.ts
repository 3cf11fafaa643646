/** Names of headers that a webhook may set. */
import { z } from 'zod'

/** Why a header cannot be set, by its name in lower case. */
const reserved: ReadonlyMap<string, string> = new Map([
  ...[
    'connection',
    'keep-alive',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
    'expect',
  ].map((name) => [name, 'it belongs to the connection and not to the request'] as const),
  ['host', 'it is the host of the URL'],
  ['content-length', 'it is the length of the body'],
  ['content-type', 'it follows from the format of the payload'],
  ['content-encoding', 'bodies are not compressed'],
  ['accept-encoding', 'answers are kept in the log as they come, so they must not be compressed'],
])
const reservedPrefixes: readonly (readonly [string, string])[] = [
  ['webhook-', 'it belongs to the signature (Standard Webhooks)'],
  ['proxy-', 'it belongs to the connection to a proxy'],
]

function whyReserved(name: string): string | null {
  const lower = name.toLowerCase()
  if (lower === '__proto__') return 'no program could read it'
  const own = reserved.get(lower)
  if (own !== undefined) return own
  return reservedPrefixes.find(([prefix]) => lower.startsWith(prefix))?.[1] ?? null
}

/** RFC 9110 5.1, and none that is not the webhook's to set. */
export const headerName = z
  .string()
  .max(100)
  .regex(
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/,
    "must be a header name: letters, digits and ! # $ % & ' * + - . ^ _ ` | ~",
  )
  .superRefine((name, context) => {
    const why = whyReserved(name)
    if (why === null) return
    context.addIssue({ code: 'custom', message: `is a header of Offhook's: ${why}` })
  })
