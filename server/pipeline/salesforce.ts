/** The way of one call into Salesforce: sign in, look for whose number it is, make or change its Task. */
import type { AttemptError } from '#contracts/delivery.ts'
import type { SalesforceConnector } from '#contracts/webhook/connector.ts'
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { jsonOrNull } from '#server/domain/json.ts'
import { redactText } from '#server/domain/redact.ts'
import { PeopleAnswer, TokenAnswer, UpsertAnswer } from '#server/domain/salesforce/answers.ts'
import {
  choosePerson,
  type FoundPeople,
  nobody,
  type Person,
  peopleOfKind,
} from '#server/domain/salesforce/people.ts'
import {
  personKinds,
  searchedNumber,
  soqlOf,
  soslOf,
} from '#server/domain/salesforce/phone-search.ts'
import { refusalText, upsertRefusal } from '#server/domain/salesforce/refusals.ts'
import {
  apiUrl,
  type EndedCall,
  outsideParty,
  ownerOf,
  taskUpsert,
} from '#server/domain/salesforce/task.ts'
import { formSecrets, tokenForm } from '#server/domain/salesforce/token-request.ts'
import type { FetchedToken } from '#server/pipeline/access-tokens.ts'
import type { Conversation, Told } from '#server/pipeline/conversation.ts'
import { askWithToken, NoToken, type TokenUse } from '#server/pipeline/with-token.ts'

export interface SalesforceCall extends Omit<TokenUse<TokenAnswer>, 'fetchToken'> {
  readonly settings: SalesforceConnector
  /** Of My Domain. */
  readonly url: string
  readonly event: EndedCall
  /** Its Task is marked as one, and is not that of the call. */
  readonly test: boolean
  /** Offhook's. */
  readonly version: string
  /** Epoch milliseconds of the wall clock. */
  readonly at: number
}

/** Salesforce did not do what was asked with the last request of the conversation. */
class Refusal extends Error {
  readonly told: Told

  constructor(conversation: Conversation, error: AttemptError, detail: string) {
    super(detail)
    this.told = conversation.told({ error, detail })
  }
}

/** Rejects for our own failures only. */
export async function sendToSalesforce(call: SalesforceCall): Promise<Told> {
  const { conversation } = call
  try {
    const found = await findPeople(call)
    await upsertTask(call, found)
    return conversation.told()
  } catch (error) {
    if (error instanceof NoToken) return error.toldOf(conversation)
    if (error instanceof Refusal) return error.told
    throw error
  }
}

async function signIn({
  conversation,
  settings,
  url,
  version,
  at,
}: SalesforceCall): Promise<FetchedToken<TokenAnswer>> {
  const body = tokenForm(settings.login, url, at)
  const secrets = formSecrets(body)
  const outcome = await conversation.ask(
    'Access token',
    {
      method: 'POST',
      url: new URL('/services/oauth2/token', url).href,
      headers: { ...headersOf(version), 'content-type': 'application/x-www-form-urlencoded' },
      body,
    },
    { shown: '(credentials)', secrets },
  )
  if (!outcome.ok) {
    throw new NoToken(conversation, redactText(saidOf(outcome), secrets))
  }
  const answer = TokenAnswer.safeParse(jsonOrNull(outcome.responseBody))
  if (!answer.success) throw new NoToken(conversation, 'The answer holds no access token.')
  return { token: answer.data, expiresInMs: null }
}

const headersOf = (version: string) => ({
  accept: 'application/json',
  'user-agent': `Offhook/${version}`,
})

interface Asking {
  readonly purpose: string
  readonly method: 'GET' | 'PATCH'
  /** Behind /services/data/v…, with its query. */
  readonly path: string
  readonly body?: object
}

/** One request of the REST API. */
async function ask(call: SalesforceCall, asking: Asking): Promise<unknown> {
  const use = { ...call, fetchToken: async () => await signIn(call) }
  const outcome = await askWithToken(use, async (token) => await askWith(call, asking, token))
  if (outcome.ok) return jsonOrNull(outcome.responseBody)
  throw new Refusal(call.conversation, outcome.error ?? 'status', saidOf(outcome))
}

async function askWith(
  { conversation, settings, version }: SalesforceCall,
  { purpose, method, path, body }: Asking,
  { access_token, instance_url }: TokenAnswer,
): Promise<AttemptOutcome> {
  const headers = { ...headersOf(version), authorization: `Bearer ${access_token}` }
  return await conversation.ask(purpose, {
    method,
    url: apiUrl(instance_url, settings, path),
    headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
    body: body === undefined ? '' : JSON.stringify(body),
  })
}

function saidOf({ errorDetail, responseBody }: AttemptOutcome): string {
  const said = refusalText(responseBody)
  return [errorDetail, said === null ? null : `It says: ${said}`]
    .filter((part) => part !== null)
    .join(' ')
}

/**
 * Contacts before Leads, and of each both what the search finds and what has the same digits: who is found by one of
 * them only has the number as well.
 */
async function findPeople(call: SalesforceCall): Promise<FoundPeople> {
  const { event, settings } = call
  const party = outsideParty(event)
  const number = party === null ? null : searchedNumber(party.number, party.raw)
  if (number === null) return nobody
  const searched = await lookUp(call, 'Search for the number', 'search', soslOf(number))
  let possible: readonly Person[] = []
  for (const kind of personKinds) {
    const purpose = `Query for a ${kind} by digits`
    const queried = await lookUp(call, purpose, 'query', soqlOf(kind, number))
    const found = peopleOfKind(kind, [searched, queried], number)
    possible = [...possible, ...found.possible]
    if (found.all.length > 0 || found.unread !== null) {
      return choosePerson({ ...found, possible }, settings.several, ownerOf(event, settings))
    }
  }
  return { ...nobody, possible }
}

async function lookUp(
  call: SalesforceCall,
  purpose: string,
  resource: 'search' | 'query',
  q: string,
): Promise<readonly Person[]> {
  const path = `/${resource}?q=${encodeURIComponent(q)}`
  const found = PeopleAnswer.safeParse(await ask(call, { purpose, method: 'GET', path }))
  if (found.success) return found.data
  const detail = `The answer is none of a ${resource}.`
  throw new Refusal(call.conversation, 'response_invalid', detail)
}

/** By the external id: sent twice, it is the same Task. */
async function upsertTask(call: SalesforceCall, found: FoundPeople): Promise<void> {
  const { path, body } = taskUpsert(call, found)
  const answer = await ask(call, { purpose: 'Task', method: 'PATCH', path, body })
  const upserted = UpsertAnswer.safeParse(answer)
  if (!upserted.success)
    throw new Refusal(call.conversation, 'response_invalid', 'The answer is none of an upsert.')
  const refused = upsertRefusal(upserted.data, call.settings.external_id_field)
  if (refused !== null)
    throw new Refusal(call.conversation, 'refused', `Salesforce refused the Task: ${refused}`)
}
