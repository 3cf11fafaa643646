/** Several requests that make one attempt: all within its time, the last one shown as the attempt, the others beside it. */
import type { AttemptError, EarlierRequest } from '#contracts/delivery.ts'
import type { AttemptOutcome } from '#server/domain/attempt-outcome.ts'
import { redactHeaders, redactUrl, secretsIn } from '#server/domain/redact.ts'
import type { WebhookRequest } from '#server/domain/render/render.ts'
import type { Sender } from '#server/outbound/attempt.ts'
import type { TlsIdentity } from '#server/outbound/tls-identity.ts'

/** What went out last and what came back, as the log may have it. */
export interface Told {
  readonly method: string
  readonly url: string
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly requestBody: string
  readonly outcome: AttemptOutcome
  readonly earlierRequests: readonly EarlierRequest[]
  /** What was sent to be let in: an answer that repeats it is not to be shown so. */
  readonly secrets: readonly string[]
}

/** A body that is secret, and so is then what is answered. */
interface SecretBody {
  /** What the log has for it. */
  readonly shown: string
  /** What in it lets somebody in. */
  readonly secrets: readonly string[]
}

export interface Conversation {
  /** Rejects for our own failures only. */
  readonly ask: (
    purpose: string,
    request: WebhookRequest,
    secretBody?: SecretBody,
  ) => Promise<AttemptOutcome>
  /** Whether anything went out yet. */
  readonly begun: () => boolean
  /** The attempt as it is now; `refused`: the last answer was none to be content with, whatever its status says. */
  readonly told: (refused?: { readonly error: AttemptError; readonly detail: string }) => Told
}

interface Asked {
  readonly purpose: string
  readonly request: WebhookRequest
  readonly secretBody: SecretBody | null
  readonly outcome: AttemptOutcome
}

const lettingIn: ReadonlySet<string> = new Set(['authorization'])

export function startConversation(
  sender: Pick<Sender, 'attempt'>,
  { timeoutMs, identity }: { readonly timeoutMs: number; readonly identity: TlsIdentity },
): Conversation {
  const startedAt = performance.now()
  const all: Asked[] = []
  return {
    async ask(purpose, request, secretBody) {
      const left = Math.max(1, Math.ceil(timeoutMs - (performance.now() - startedAt)))
      const outcome = await sender.attempt(request, { timeoutMs: left, identity })
      all.push({ purpose, request, secretBody: secretBody ?? null, outcome })
      return outcome
    },
    begun: () => all.length > 0,
    told(refused) {
      const last = all.at(-1)
      if (last === undefined)
        throw new Error('A conversation that asked nothing has nothing to tell.')
      const { request, outcome, secretBody, purpose } = last
      const durationMs = Math.round(performance.now() - startedAt)
      const detail = refused?.detail ?? outcome.errorDetail
      return {
        method: request.method,
        url: request.url,
        requestHeaders: redactHeaders(request.headers),
        requestBody: secretBody?.shown ?? request.body,
        outcome: {
          ...outcome,
          ...(secretBody !== null && { responseBody: null, responseTruncated: false }),
          durationMs,
          ok: outcome.ok && refused === undefined,
          error: refused?.error ?? outcome.error,
          errorDetail: detail === null ? null : `${purpose}: ${detail}`,
        },
        earlierRequests: all.slice(0, -1).map(earlierOf),
        secrets: all.flatMap((one) => [
          ...secretsIn(one.request.headers, lettingIn),
          ...(one.secretBody?.secrets ?? []),
        ]),
      }
    },
  }
}

function earlierOf({ purpose, request, outcome }: Asked): EarlierRequest {
  return {
    purpose,
    method: request.method,
    url: redactUrl(request.url),
    status_code: outcome.statusCode,
    duration_ms: outcome.durationMs,
  }
}
