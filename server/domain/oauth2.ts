/** OAuth 2.0 client credentials (RFC 6749 4.4): what the token endpoint is asked, and what its answer says. */
import { z } from 'zod'
import type { Authentication } from '#contracts/webhook/authentication.ts'
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { jsonOrNull } from '#server/domain/json.ts'
import { redactText } from '#server/domain/redact.ts'
import type { WebhookRequest } from '#server/domain/render/render.ts'

export type OAuth2 = Extract<Authentication, { type: 'oauth2' }>

/** RFC 6749 2.3.1: id and secret are encoded as in a form before they become Basic credentials. */
const formEncoded = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)

const basicOf = ({ client_id, client_secret }: OAuth2) =>
  Buffer.from(`${formEncoded(client_id)}:${formEncoded(client_secret)}`).toString('base64')

/** `version` is Offhook's. */
export function tokenRequest(settings: OAuth2, version: string): WebhookRequest {
  const { token_url, client_id, client_secret, scope, audience, client_authentication } = settings
  const basic = client_authentication === 'basic'
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope !== null && { scope }),
    ...(audience !== null && { audience }),
    ...(!basic && { client_id, client_secret }),
  })
  return {
    method: 'POST',
    url: token_url,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': `Offhook/${version}`,
      ...(basic && { authorization: `Basic ${basicOf(settings)}` }),
    },
    body: form.toString(),
  }
}

/** What of a token request nobody who reads the log may see. */
export const tokenSecrets = (settings: OAuth2): readonly string[] => [
  settings.client_secret,
  basicOf(settings),
]

export interface ReadToken {
  readonly token: string
  /** Null: nothing was said of it. */
  readonly expiresInMs: number | null
}

/** What becomes a header must be fit for one; 16 KiB is what common servers take of all headers together. */
export const HeaderToken = z.string().regex(/^[\x21-\x7e]{1,12288}$/)
/** RFC 6749 5.1 wants a number; some servers send it as text. */
const ExpiresIn = z.union([z.number(), z.string().regex(/^\d{1,12}$/)]).transform(Number)

const Answer = z.looseObject({
  access_token: z.unknown().optional(),
  token_type: z.unknown().optional(),
  expires_in: z.unknown().optional(),
})

const notRead = (detail: string) => ({ refused: detail })

/** What came of the token request: the token, or a sentence on what the endpoint did, without any secret. */
export function readToken(
  settings: OAuth2,
  outcome: AttemptOutcome,
): ReadToken | { readonly refused: string } {
  const answer = Answer.safeParse(jsonOrNull(outcome.responseBody))
  const said = answer.success ? refusalOf(settings, answer.data) : null
  const saying = (detail: string) => notRead(said === null ? detail : `${detail} It says: ${said}`)
  if (!outcome.ok) return saying(outcome.errorDetail ?? 'No answer came.')
  if (outcome.responseTruncated) return notRead('The answer is too long to be one with a token.')
  if (!answer.success) return notRead('The answer is no JSON object.')
  const { access_token, token_type, expires_in } = answer.data
  if (access_token === undefined) return saying('The answer has no access_token.')
  const token = HeaderToken.safeParse(access_token)
  if (!token.success) return notRead('The access_token is none that a header can carry.')
  // It is required, but what has none can only be a Bearer token.
  if (token_type !== undefined && !/^bearer$/i.test(String(token_type))) {
    return notRead('The token_type is not Bearer.')
  }
  const seconds = ExpiresIn.safeParse(expires_in)
  const known = seconds.success && seconds.data >= 0
  return { token: token.data, expiresInMs: known ? seconds.data * 1_000 : null }
}

const words = z.string().transform((text) => text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim())
/** RFC 6749 5.2. */
const Refusal = z.object({ error: words, error_description: words.optional() })

/** An endpoint may repeat what it was sent. */
function refusalOf(settings: OAuth2, answer: object): string | null {
  const refusal = Refusal.safeParse(answer)
  if (!refusal.success) return null
  const { error, error_description } = refusal.data
  const text = error_description === undefined ? error : `${error}: ${error_description}`
  return redactText(text, tokenSecrets(settings)).slice(0, 300)
}
