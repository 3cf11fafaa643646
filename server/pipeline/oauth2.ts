/** A request that needs an access token: the token first where there is none, and once more where it is refused. */
import { type OAuth2, readToken, tokenRequest } from '#server/domain/oauth2.ts'
import type { WebhookRequest } from '#server/domain/render/render.ts'
import type { AccessTokens, FetchedToken } from '#server/pipeline/access-tokens.ts'
import type { Conversation, Told } from '#server/pipeline/conversation.ts'

export interface TokenCall {
  readonly conversation: Conversation
  readonly tokens: AccessTokens<string>
  /** Names the settings of the webhook: a change of them asks for another token. */
  readonly tokenKey: string
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

/** The token endpoint gave no token. */
class NoToken extends Error {
  readonly told: Told
  readonly asker: Conversation

  constructor(conversation: Conversation, detail: string) {
    super(detail)
    this.asker = conversation
    this.told = conversation.told({ error: 'token', detail })
  }
}

/** Told: there was no token, and the request was not sent. Rejects for our own failures only. */
export async function sendWithToken(call: TokenCall): Promise<Answered | Told> {
  const { conversation, tokens, tokenKey } = call
  let refused: Answered | null = null
  try {
    const first = await tokens.get(tokenKey, async () => await fetchToken(call))
    refused = await askWith(call, first)
    if (refused.outcome.statusCode !== 401) return refused
    tokens.drop(tokenKey, first)
    const second = await tokens.get(tokenKey, async () => await fetchToken(call))
    return also(await askWith(call, second), 'A new access token was refused as well.')
  } catch (error) {
    if (!(error instanceof NoToken)) throw error
    if (error.asker === conversation) return error.told
    // Another attempt asked for it a moment ago, and this one shares its failure.
    if (refused !== null) return also(refused, `There is no new access token: ${error.message}`)
    return { ...error.told, earlierRequests: [] }
  }
}

async function fetchToken({
  conversation,
  settings,
  version,
}: TokenCall): Promise<FetchedToken<string>> {
  const outcome = await conversation.ask(
    'Access token',
    tokenRequest(settings, version),
    '(credentials)',
  )
  const read = readToken(settings, outcome)
  if ('refused' in read) throw new NoToken(conversation, read.refused)
  return read
}

async function askWith(
  { conversation, request: without }: TokenCall,
  token: string,
): Promise<Answered> {
  const request = { ...without, headers: { ...without.headers, authorization: `Bearer ${token}` } }
  const asked = await conversation.ask('Request', request)
  const { outcome, earlierRequests } = conversation.told()
  // It is the request of the attempt: its failure needs no name before it.
  return { request, earlierRequests, outcome: { ...outcome, errorDetail: asked.errorDetail } }
}

/** With a sentence more, where it was refused. */
function also(answered: Answered, sentence: string): Answered {
  const { outcome } = answered
  if (outcome.statusCode !== 401) return answered
  return { ...answered, outcome: { ...outcome, errorDetail: `${outcome.errorDetail} ${sentence}` } }
}
