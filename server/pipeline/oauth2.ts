/** A rendered request that needs an access token of OAuth 2.0 client credentials. */
import { type OAuth2, readToken, tokenRequest, tokenSecrets } from '#server/domain/oauth2.ts'
import type { WebhookRequest } from '#server/domain/render/render.ts'
import type { FetchedToken } from '#server/pipeline/access-tokens.ts'
import type { Told } from '#server/pipeline/conversation.ts'
import { askWithToken, NoToken, type TokenUse } from '#server/pipeline/with-token.ts'

export interface TokenCall extends Omit<TokenUse<string>, 'fetchToken'> {
  readonly settings: OAuth2
  /** Without the token. */
  readonly request: WebhookRequest
  /** Offhook's. */
  readonly version: string
}

/** What came of the request, and the request as it was sent. */
export interface Answered extends Pick<Told, 'outcome' | 'earlierRequests'> {
  readonly request: WebhookRequest
}

/** Told: there was no token, and the request was not sent. Rejects for our own failures only. */
export async function sendWithToken(call: TokenCall): Promise<Answered | Told> {
  const { conversation, request: without } = call
  let request = without
  try {
    const use = { ...call, fetchToken: async () => await fetchToken(call) }
    const { errorDetail } = await askWithToken(use, async (token) => {
      const headers = { ...without.headers, authorization: `Bearer ${token}` }
      request = { ...without, headers }
      return await conversation.ask('Request', request)
    })
    const { outcome, earlierRequests } = conversation.told()
    // It is the request of the attempt: its failure needs no name before it.
    return { request, earlierRequests, outcome: { ...outcome, errorDetail } }
  } catch (error) {
    if (error instanceof NoToken) return error.toldOf(conversation)
    throw error
  }
}

async function fetchToken({
  conversation,
  settings,
  version,
}: TokenCall): Promise<FetchedToken<string>> {
  const outcome = await conversation.ask('Access token', tokenRequest(settings, version), {
    shown: '(credentials)',
    secrets: tokenSecrets(settings),
  })
  const read = readToken(settings, outcome)
  if ('refused' in read) throw new NoToken(conversation, read.refused)
  return read
}
