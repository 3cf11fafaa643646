import { fieldPath } from '#contracts/field-path.ts'
import { type FieldError, type Problem, type ProblemCode, problems } from '#contracts/problem.ts'
import { HiddenSecretError } from '#server/domain/hidden-secrets.ts'
import { InconsistentSettingsError } from '#server/domain/webhook-settings.ts'

/** Thrown by routes and guards: becomes the problem reply with this code. */
export class ProblemError extends Error {
  readonly code: ProblemCode
  readonly errors: readonly FieldError[] | undefined

  constructor(
    code: ProblemCode,
    detail: string = problems[code].remedy,
    more: { readonly errors?: readonly FieldError[]; readonly cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = 'ProblemError'
    this.code = code
    this.errors = more.errors
  }
}

/** The body of the reply to `error`. */
export function problemReply(error: ProblemError, requestId: string): Problem {
  const { status, title } = problems[error.code]
  return {
    type: `urn:offhook:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    request_id: requestId,
    ...(error.errors !== undefined && { errors: [...error.errors] }),
  }
}

/** What Fastify itself refuses, or zlib in a body that is said to be compressed, by the error’s code. */
const fastifyRefusals: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_BAD_URL: 'invalid_request',
  Z_DATA_ERROR: 'invalid_request',
  Z_BUF_ERROR: 'invalid_request',
  FST_ERR_MAX_PARAM_LENGTH: 'route_not_found',
}

/** Codes that store/ throws for the caller's fault or for a state of the machine, as problems. */
const storeRefusals: Readonly<Record<string, ProblemCode>> = {
  name_taken: 'name_taken',
  invalid_cursor: 'invalid_cursor',
  storage_full: 'storage_full',
  database_busy: 'not_ready',
  database_unreachable: 'not_ready',
  service_gone: 'not_found',
  made_by_call_flow: 'made_by_call_flow',
  claim_lost: 'idempotency_in_progress',
}

function invalidFields(
  wrong: readonly { readonly path: readonly (string | number)[]; readonly message: string }[],
): ProblemError {
  const errors = wrong.map(({ path, message }) => ({
    field: fieldPath(path),
    code: 'invalid' as const,
    message,
  }))
  return new ProblemError('invalid_input', `Wrong: ${errors.map((e) => e.field).join(', ')}.`, {
    errors,
  })
}

/**
 * Any thrown value as a problem. What nobody foresaw becomes `internal` without its message: that may hold
 * secrets, and belongs into the log under the request id.
 */
export function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  if (error instanceof HiddenSecretError) {
    const { message, paths } = error
    return invalidFields(paths.map((path) => ({ path, message })))
  }
  if (error instanceof InconsistentSettingsError) return invalidFields(error.found)
  if (!(error instanceof Error)) return new ProblemError('internal')
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const refusal = fastifyRefusals[code]
  if (refusal === 'invalid_json') return new ProblemError(refusal, `${error.message}.`)
  if (refusal !== undefined) return new ProblemError(refusal)
  const known = storeRefusals[code]
  if (known !== undefined) return new ProblemError(known, error.message, { cause: error })
  return new ProblemError('internal')
}
