/** Requests that need an access token: the token first where there is none, and once more where it is refused. */
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import type { AccessTokens, FetchedToken } from '#server/pipeline/access-tokens.ts'
import type { Conversation, Told } from '#server/pipeline/conversation.ts'

export interface TokenUse<T> {
  readonly conversation: Conversation
  readonly tokens: AccessTokens<T>
  /** Names the settings of the webhook: a change of them asks for another token. */
  readonly tokenKey: string
  /** Rejects with NoToken where the token endpoint gives none. */
  readonly fetchToken: () => Promise<FetchedToken<T>>
}

/** The token endpoint gave no token. */
export class NoToken extends Error {
  readonly #asker: Conversation
  readonly #told: Told

  constructor(asker: Conversation, detail: string) {
    super(detail)
    this.#asker = asker
    this.#told = asker.told({ error: 'token', detail })
  }

  isOf(conversation: Conversation): boolean {
    return this.#asker === conversation
  }

  /** The attempt that ends with it; another one may have asked for the token a moment ago, and this one shares its failure. */
  toldOf(conversation: Conversation): Told {
    if (this.isOf(conversation)) return this.#told
    if (!conversation.begun()) return { ...this.#told, earlierRequests: [] }
    return conversation.told({ error: 'token', detail: withoutNew(this) })
  }
}

const withoutNew = ({ message }: NoToken) => `There is no new access token: ${message}`

/** What came of the request, the second one where the token of the first was refused. Rejects with NoToken. */
export async function askWithToken<T>(
  { conversation, tokens, tokenKey, fetchToken }: TokenUse<T>,
  ask: (token: T) => Promise<AttemptOutcome>,
): Promise<AttemptOutcome> {
  const first = await tokens.get(tokenKey, fetchToken)
  const refused = await ask(first)
  if (refused.statusCode !== 401) return refused
  tokens.drop(tokenKey, first)
  let second: T
  try {
    second = await tokens.get(tokenKey, fetchToken)
  } catch (error) {
    if (!(error instanceof NoToken) || error.isOf(conversation)) throw error
    return also(refused, withoutNew(error))
  }
  return also(await ask(second), 'A new access token was refused as well.')
}

/** With a sentence more, where it was refused. */
function also(outcome: AttemptOutcome, sentence: string): AttemptOutcome {
  if (outcome.statusCode !== 401) return outcome
  return { ...outcome, errorDetail: `${outcome.errorDetail} ${sentence}` }
}
