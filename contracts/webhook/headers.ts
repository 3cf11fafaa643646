/** Headers of one's own on each request. */
import { z } from 'zod'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import { headerName } from '#contracts/webhook/authentication.ts'
import { fieldText } from '#contracts/webhook/field-text.ts'

/** Why a header cannot be set, by its name in lower case. */
const reserved: ReadonlyMap<string, string> = new Map([
  ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'].map(
    (name) => [name, 'it belongs to the connection and not to the request'] as const,
  ),
  ['host', 'it is the host of the URL'],
  ['content-length', 'it is the length of the body'],
  ['content-type', 'it follows from the format of the payload'],
  ['content-encoding', 'bodies are not compressed'],
])
const reservedPrefixes: readonly (readonly [string, string])[] = [
  ['webhook-', 'it belongs to the signature (Standard Webhooks)'],
  ['proxy-', 'it belongs to the connection to a proxy'],
]

function whyReserved(name: string): string | null {
  const lower = name.toLowerCase()
  const own = reserved.get(lower)
  if (own !== undefined) return own
  return reservedPrefixes.find(([prefix]) => lower.startsWith(prefix))?.[1] ?? null
}

export const CustomHeader = z
  .strictObject({
    name: headerName
      .superRefine((name, context) => {
        const why = whyReserved(name)
        if (why === null) return
        context.addIssue({ code: 'custom', message: `is a header of Offhook's: ${why}` })
      })
      .meta({ description: 'By RFC 9110; usually it begins with X-.' }),
    value: fieldText(4000)
      // RFC 9110 5.5; nothing else can end the line that a header is.
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')
      .meta({
        description: `May have fields of the event, as in {{ call.uuid }}. Of a secret header, replies show ${hiddenSecret}; sent back, the stored one stays.`,
      }),
    secret: z
      .boolean()
      .default(false)
      .meta({ description: 'The value is encrypted, and masked in replies and in the log.' }),
  })
  .meta({ id: 'CustomHeader' })
export type CustomHeader = z.infer<typeof CustomHeader>

export const CustomHeaders = z
  .array(CustomHeader)
  .max(50)
  .superRefine((headers, context) => {
    const seen = new Set<string>()
    headers.forEach(({ name }, i) => {
      if (seen.has(name.toLowerCase())) {
        context.addIssue({ code: 'custom', path: [i, 'name'], message: 'is there twice' })
      }
      seen.add(name.toLowerCase())
    })
  })
