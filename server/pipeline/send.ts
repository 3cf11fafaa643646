/** One request of an event to a webhook as its settings want it: rendered, signed, sent. Deliveries and tests share it. */
import { LRUCache } from 'lru-cache'
import type { EarlierRequest } from '#contracts/delivery.ts'
import type { Connector } from '#contracts/webhook/connector.ts'
import { type AttemptOutcome, outcomeWithoutRequest } from '#server/domain/attempt-outcome.ts'
import type { OAuth2 } from '#server/domain/oauth2.ts'
import { type Redactor, redactHeaders, redactorOf, secretsIn } from '#server/domain/redact.ts'
import { renameCause } from '#server/domain/render/hangup-causes.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import type { WebhookRequest } from '#server/domain/render/render.ts'
import type { TokenAnswer } from '#server/domain/salesforce/answers.ts'
import { endedCall } from '#server/domain/salesforce/ended-call.ts'
import { signatureHeaders } from '#server/domain/sign.ts'
import type { Sender } from '#server/outbound/attempt.ts'
import { plainIdentity, type TlsIdentity } from '#server/outbound/tls-identity.ts'
import { type AccessTokens, createAccessTokens } from '#server/pipeline/access-tokens.ts'
import { startConversation, type Told } from '#server/pipeline/conversation.ts'
import { sendWithToken } from '#server/pipeline/oauth2.ts'
import {
  createRenderers,
  type Prepared,
  type PreparedRequests,
  type Renderers,
} from '#server/pipeline/renderers.ts'
import { sendToSalesforce } from '#server/pipeline/salesforce.ts'
import type { Templates } from '#server/pipeline/templates.ts'
import { createTlsIdentities, type TlsIdentities } from '#server/pipeline/tls-identities.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import {
  readSigningSecrets,
  type SigningSecrets,
  secretsAt,
} from '#server/store/signing-secrets.ts'
import type { Store } from '#server/store/store.ts'

export interface SendDeps {
  readonly store: Store
  readonly sender: Pick<Sender, 'attempt'>
  readonly templates: Pick<Templates, 'requests'>
  /** Offhook's version, for the header `User-Agent`. */
  readonly version: string
}

/** What a webhook is sent with, kept between requests. */
export interface Sending {
  readonly deps: SendDeps
  readonly renderers: Renderers
  readonly identities: TlsIdentities
  /** Signing secrets in the clear, by their sealed text. */
  readonly secrets: LRUCache<string, SigningSecrets>
  /** By the secrets that they hide: to make one costs more than to look through a usual answer. */
  readonly redactors: LRUCache<string, Redactor>
  readonly salesforceTokens: AccessTokens<TokenAnswer>
  readonly oauth2Tokens: AccessTokens<string>
}

/** As many as there may be busy webhooks; the rest are decrypted again when they fire. */
const secretsKept = 10_000
/** Characters of secrets; a redactor holds about ten times what it hides. */
const redactedKept = 1_000_000

export function createSending(deps: SendDeps): Sending {
  const { store } = deps
  return {
    deps,
    renderers: createRenderers(deps),
    identities: createTlsIdentities(store),
    secrets: new LRUCache({ max: secretsKept }),
    redactors: new LRUCache({
      max: secretsKept / 10,
      maxSize: redactedKept,
      sizeCalculation: (_, { length }) => length,
    }),
    salesforceTokens: createAccessTokens(),
    oauth2Tokens: createAccessTokens(),
  }
}

export interface SentEvent {
  readonly id: string
  /** As it is stored. */
  readonly body: string
}

/** What went out and what came back, as the log may have it. */
export interface Sent {
  readonly method: string
  readonly url: string
  /** Secrets redacted. */
  readonly requestHeaders: Readonly<Record<string, string>>
  /** Null: the event as it is stored. */
  readonly requestBody: string | null
  readonly outcome: AttemptOutcome
  /** What had to be asked before, in that order. */
  readonly earlierRequests: readonly EarlierRequest[]
}

/** The headers that this request has and others of the webhook have not; names in lower case. */
type Marks = Readonly<Record<string, string>>

/** So that a receiver can tell a test from what really happened. */
export const testMarks: Marks = { 'webhook-test': 'true' }

/** Rejects for our own failures only. Receivers compare the signature's time with their own clock, so `at` is the wall clock's. */
export async function send(
  sending: Sending,
  webhook: ClaimedWebhook,
  event: SentEvent,
  marks: Marks,
  at: number,
): Promise<Sent> {
  const { deps, renderers, identities } = sending
  const found = renderers.of(webhook)
  const renderer = found instanceof Promise ? await found : found
  if ('connector' in renderer) {
    const test = marks === testMarks
    return await sendByConnector(sending, webhook, renderer, { ...event, test }, at)
  }
  const rendering = renderedOf(renderer, event.body)
  const rendered = rendering instanceof Promise ? await rendering : rendering
  if (rendered instanceof NotRenderedError) return sentNothing(webhook, renderer, rendered)
  const signature = renderer.signed ? signatureOf(sending, webhook, event.id, rendered, at) : {}
  const request = withHeaders(rendered, { ...signature, ...marks })
  const { timeoutMs, tlsVersion } = webhook
  const identity = tlsVersion === null ? plainIdentity : await identities.of(webhook, tlsVersion)
  if (renderer.oauth2 !== null) {
    return await sendByToken(sending, webhook, renderer, {
      settings: renderer.oauth2,
      request,
      identity,
    })
  }
  const outcome = await deps.sender.attempt(request, { timeoutMs, identity })
  return sentOf(sending, request, renderer, outcome, [])
}

/** As the log may have it; a receiver that repeats in its answer what it was sent shows no secret either. */
function sentOf(
  { redactors }: Sending,
  request: WebhookRequest,
  renderer: PreparedRequests,
  outcome: AttemptOutcome,
  earlierRequests: readonly EarlierRequest[],
): Sent {
  const secrets = secretsIn(request.headers, renderer.secretHeaders)
  return {
    method: request.method,
    url: request.url,
    requestHeaders: redactHeaders(request.headers, renderer.secretHeaders),
    requestBody: renderer.native ? null : request.body,
    outcome: withoutSecrets(redactors, outcome, secrets),
    earlierRequests,
  }
}

interface TokenParts {
  readonly settings: OAuth2
  /** Without its token. */
  readonly request: WebhookRequest
  readonly identity: TlsIdentity
}

async function sendByToken(
  sending: Sending,
  { timeoutMs, url, requestVersion, tlsVersion }: ClaimedWebhook,
  renderer: PreparedRequests,
  { settings, request, identity }: TokenParts,
): Promise<Sent> {
  const { deps, oauth2Tokens } = sending
  const came = await sendWithToken({
    conversation: startConversation(deps.sender, { timeoutMs, identity }),
    tokens: oauth2Tokens,
    // A token is for the receiver that it was asked for.
    tokenKey: `${requestVersion} ${tlsVersion} ${url}`,
    settings,
    request,
    version: deps.version,
  })
  return 'request' in came
    ? sentOf(sending, came.request, renderer, came.outcome, came.earlierRequests)
    : sentOfConversation(sending, came)
}

async function sendByConnector(
  sending: Sending,
  webhook: ClaimedWebhook,
  { connector: settings, hangupCauses }: Extract<Prepared, { connector: Connector }>,
  event: SentEvent & { readonly test: boolean },
  at: number,
): Promise<Sent> {
  const { deps, identities, salesforceTokens } = sending
  const { timeoutMs, tlsVersion, url, requestVersion } = webhook
  const call = endedCallOf(event)
  if (call instanceof NotRenderedError) return sentNothing(webhook, { method: 'PATCH' }, call)
  const identity = tlsVersion === null ? plainIdentity : await identities.of(webhook, tlsVersion)
  const sent = await sendToSalesforce({
    conversation: startConversation(deps.sender, { timeoutMs, identity }),
    tokens: salesforceTokens,
    tokenKey: `${requestVersion} ${url}`,
    settings,
    url,
    event: renameCause(call, hangupCauses),
    test: event.test,
    version: deps.version,
    at,
  })
  return sentOfConversation(sending, sent)
}

const sentOfConversation = ({ redactors }: Sending, { secrets, ...told }: Told): Sent => ({
  ...told,
  outcome: withoutSecrets(redactors, told.outcome, secrets),
})

function endedCallOf({ body }: SentEvent): ReturnType<typeof endedCall> | NotRenderedError {
  try {
    return endedCall(JSON.parse(body) as object)
  } catch (error) {
    return notRendered(error)
  }
}

const withHeaders = (request: WebhookRequest, more: WebhookRequest['headers']): WebhookRequest => ({
  ...request,
  headers: { ...request.headers, ...more },
})

function signatureOf(
  sending: Sending,
  webhook: ClaimedWebhook,
  id: string,
  { body }: WebhookRequest,
  at: number,
) {
  return signatureHeaders({ id, at, body }, secretsAt(signingSecrets(sending, webhook), at))
}

/** What the settings of a webhook make impossible is its own failure, told where its other attempts are. */
function renderedOf(
  renderer: PreparedRequests,
  body: string,
): WebhookRequest | NotRenderedError | Promise<WebhookRequest | NotRenderedError> {
  try {
    const rendered = renderer.render(body)
    return rendered instanceof Promise ? rendered.catch(notRendered) : rendered
  } catch (error) {
    return notRendered(error)
  }
}

function notRendered(error: unknown): NotRenderedError {
  if (error instanceof NotRenderedError) return error
  throw error
}

function sentNothing(
  { url }: ClaimedWebhook,
  { method }: Pick<PreparedRequests, 'method'>,
  { message }: NotRenderedError,
): Sent {
  return {
    method,
    url,
    requestHeaders: {},
    requestBody: '',
    outcome: outcomeWithoutRequest(message),
    earlierRequests: [],
  }
}

/** A receiver may set cookies; what they hold is nobody's business who reads the log. */
function withoutSecrets(
  redactors: Sending['redactors'],
  outcome: AttemptOutcome,
  secrets: readonly string[],
): AttemptOutcome {
  const { responseBody, responseTruncated, errorDetail } = outcome
  const responseHeaders =
    outcome.responseHeaders === null ? null : redactHeaders(outcome.responseHeaders)
  if (secrets.length === 0) return { ...outcome, responseHeaders }
  const { text, cutText } = redactorFor(redactors, secrets)
  const redactBody = responseTruncated ? cutText : text
  return {
    ...outcome,
    responseHeaders:
      responseHeaders === null
        ? null
        : Object.fromEntries(
            Object.entries(responseHeaders).map(([name, value]) => [text(name), text(value)]),
          ),
    responseBody: responseBody === null ? null : redactBody(responseBody),
    errorDetail: errorDetail === null ? null : text(errorDetail),
  }
}

function redactorFor(redactors: Sending['redactors'], secrets: readonly string[]): Redactor {
  const key = JSON.stringify(secrets)
  const known = redactors.get(key)
  if (known !== undefined) return known
  const made = redactorOf(secrets)
  redactors.set(key, made)
  return made
}

function signingSecrets(
  { deps, secrets }: Sending,
  { id, sealedSecrets }: ClaimedWebhook,
): SigningSecrets {
  const known = secrets.get(sealedSecrets)
  if (known !== undefined) return known
  const opened = readSigningSecrets(deps.store, id, sealedSecrets)
  secrets.set(sealedSecrets, opened)
  return opened
}
