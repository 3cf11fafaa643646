import { z } from 'zod'

interface ProblemEntry {
  /** HTTP status of the reply. */
  readonly status: number
  /** What it is, the same in every reply with this code. */
  readonly title: string
  /** What the caller can do about it. */
  readonly remedy: string
}

/**
 * Every error code of the API once. Codes are part of the API: one that has been published is never renamed and
 * never given another meaning. `docs/reference/problems.md` is made from this table.
 */
export const problems = {
  invalid_json: {
    status: 400,
    title: 'The body is not JSON',
    remedy: 'Send one JSON value, encoded in UTF-8.',
  },
  invalid_request: {
    status: 400,
    title: 'The request cannot be understood',
    remedy: 'Send a well-formed HTTP/1.1 request.',
  },
  invalid_cursor: {
    status: 400,
    title: 'The cursor is not one of this list',
    remedy: 'Pass next_cursor of the page before unchanged, with the same filters.',
  },
  unauthorized: {
    status: 401,
    title: 'The API key is missing or unknown',
    remedy:
      'Send "Authorization: Bearer <key>". "npm run -s offhook -- keys create <name>" makes a new key.',
  },
  agent_unauthorized: {
    status: 401,
    title: 'The agent token is missing, or another one was made since',
    remedy:
      'POST /api/v1/services/<uuid>/agent-token makes a new one; the one before is void from then on.',
  },
  not_found: {
    status: 404,
    title: 'There is no such object in your account',
    remedy: 'Check the id; objects of other accounts do not exist for you.',
  },
  route_not_found: {
    status: 404,
    title: 'There is no such address',
    remedy: 'See /api/openapi.json for every address and its methods.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This address does not know the method',
    remedy: 'Use one of the methods that the header Allow lists.',
  },
  link_wrong: {
    status: 403,
    title: 'The link is not one that Offhook made',
    remedy: 'Take it whole, as the event has it; or ask with an API key.',
  },
  name_taken: {
    status: 409,
    title: 'The name is taken in your account',
    remedy: 'Choose another name, or change the object that has it.',
  },
  not_managed: {
    status: 409,
    title: 'Somebody else configures this PBX',
    remedy: 'Only a service with a connection of kind asterisk_managed has a PBX document.',
  },
  no_agent: {
    status: 409,
    title: 'This PBX has no agent',
    remedy: 'Only a service with a connection of kind asterisk_agent has a token for its agent.',
  },
  agent_behind: {
    status: 409,
    title: 'The record goes on elsewhere',
    remedy: 'Connect again: the reply says what is committed, and from where to go on.',
  },
  agent_replaced: {
    status: 409,
    title: 'Another agent of this service has connected',
    remedy: 'Run one agent for each service; a second PBX is a second service with its own token.',
  },
  no_test_calls: {
    status: 409,
    title: 'This PBX has no phones that could be called',
    remedy:
      'Only the demo PBX has phones of its own, while its server runs. Place a call by a phone.',
  },
  audio_not_here: {
    status: 409,
    title: 'Offhook does not know where this PBX keeps its audio',
    remedy:
      'Set recordings_path and voicemail_path of the connection of the service. Of a PBX with an agent the audio stays on its machine.',
  },
  made_by_call_flow: {
    status: 409,
    title: 'The PBX document makes this webhook',
    remedy: 'Change or remove the webhook of its component in the PBX document of the service.',
  },
  cannot_resend: {
    status: 409,
    title: 'The delivery was sent too often',
    remedy: 'It had more than 2,000 attempts. Replay the event to another webhook.',
  },
  not_waiting: {
    status: 409,
    title: 'The delivery does not wait',
    remedy:
      'Only what is pending, held or given up can be cancelled, not what is under way or delivered.',
  },
  webhook_disabled: {
    status: 409,
    title: 'The webhook is disabled',
    remedy: 'Enable it first: a webhook that a user disabled matches no event.',
  },
  idempotency_in_progress: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still under way',
    remedy: 'Wait a second and send the same request again.',
  },
  link_expired: {
    status: 410,
    title: 'The time of the link is over',
    remedy: 'GET /api/v1/calls/<uuid>/recordings gives a new one.',
  },
  audio_gone: {
    status: 410,
    title: 'The audio is not on the PBX any more',
    remedy: 'It was removed there, or the message was deleted by phone.',
  },
  precondition_failed: {
    status: 412,
    title: 'The object has changed since you read it',
    remedy: 'Read it again, and send your change with its new ETag in If-Match.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    remedy: 'A body may have 1 MiB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body is not declared as JSON',
    remedy: 'Send "Content-Type: application/json".',
  },
  range_not_satisfiable: {
    status: 416,
    title: 'The file is shorter than that',
    remedy: 'Content-Range says how many bytes it has.',
  },
  invalid_input: {
    status: 422,
    title: 'Some fields are not as they must be',
    remedy: 'Each entry of errors names a field, a code and what would be right.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key was used for another request',
    remedy: 'Use a new key for a new request; repeat a request with exactly the same body.',
  },
  too_many_exports: {
    status: 429,
    title: 'Too many exports of your account are under way',
    remedy: 'Wait for one of your 4 exports to end, or end one.',
  },
  too_many_downloads: {
    status: 429,
    title: 'Too many recordings of your account are being sent',
    remedy: 'Wait for one of the 16 to end, or end one.',
  },
  too_many_tests: {
    status: 429,
    title: 'Too many tests of your account are under way',
    remedy: 'Wait for one of your 4 tests to end.',
  },
  headers_too_large: {
    status: 431,
    title: 'The headers are too large',
    remedy: 'All headers together may have 16 KiB.',
  },
  internal: {
    status: 500,
    title: 'Offhook failed',
    remedy: 'The log has the reason under the request_id of this reply.',
  },
  not_ready: {
    status: 503,
    title: 'Offhook is starting or stopping',
    remedy: 'Try again in a few seconds.',
  },
  audio_unreachable: {
    status: 503,
    title: 'This server cannot read the folder of the audio',
    remedy:
      'Ask the server whose /readyz lists the service; or look whether the folder is there, and readable for Offhook.',
  },
  agent_elsewhere: {
    status: 503,
    title: 'This server does not run the PBX of the agent',
    remedy: 'Connect again in a few seconds: it is starting, or another server is to take over.',
  },
  not_committed: {
    status: 503,
    title: 'The rows could not be committed in time',
    remedy: 'Connect again: what is committed is not asked for, the rest is to be sent again.',
  },
  storage_full: {
    status: 507,
    title: 'The disk of the database is full',
    remedy: 'Free space; nothing was changed by this request.',
  },
} as const satisfies Record<string, ProblemEntry>

export type ProblemCode = keyof typeof problems
const problemCodes = Object.keys(problems) as [ProblemCode, ...ProblemCode[]]

/** What can be wrong with one field of an `invalid_input` problem, and what each code means. */
export const fieldErrors = {
  required: 'The field must be there.',
  unknown_field: 'There is no such field; the message names the nearest one.',
  wrong_type: 'The value has another JSON type than the field.',
  not_allowed: 'The value is not one of those that the message lists.',
  wrong_format: 'The text does not have the form that the field asks for.',
  too_small: 'The number, the text or the list is below its least size.',
  too_large: 'The number, the text or the list is above its greatest size.',
  address_forbidden:
    'The URL leads to an address that Offhook does not send to; the message says which, and what would allow it.',
  invalid: 'The value breaks the rule that the message states.',
} as const
export type FieldErrorCode = keyof typeof fieldErrors
const fieldErrorCodes = Object.keys(fieldErrors) as [FieldErrorCode, ...FieldErrorCode[]]

export const FieldError = z
  .object({
    field: z.string().meta({
      description: 'Path of the field, as in connection.ami.port or triggers[2]; "" is the body.',
    }),
    code: z.enum(fieldErrorCodes),
    message: z.string().meta({ description: 'What would be right.' }),
  })
  .meta({ id: 'FieldError' })
export type FieldError = z.infer<typeof FieldError>

/** An RFC 9457 problem reply, `application/problem+json`. */
export const Problem = z
  .object({
    type: z.string().meta({ description: 'urn:offhook:problem:<code>' }),
    title: z.string(),
    status: z.int(),
    code: z.enum(problemCodes),
    detail: z.string().meta({ description: 'What went wrong this time, and what to do.' }),
    request_id: z.string().meta({ description: 'Under which the log has this request.' }),
    errors: z
      .array(FieldError)
      .optional()
      .meta({ description: 'With invalid_input only: every field that is wrong.' }),
  })
  .meta({ id: 'Problem' })
export type Problem = z.infer<typeof Problem>
