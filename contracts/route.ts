import { z } from 'zod'
import { GivenTime } from '#contracts/events/facts.ts'
import type { ExportName } from '#contracts/export.ts'
import { WebhookId } from '#contracts/ids.ts'
import type { ProblemCode } from '#contracts/problem.ts'

export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  A extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With parameters as `:name`. */
  readonly path: string
  readonly tag:
    | 'Account'
    | 'Services'
    | 'Agents'
    | 'Webhooks'
    | 'Deliveries'
    | 'Events'
    | 'Calls'
    | 'Health'
  readonly summary: string
  /** Who may call it: everybody, the holder of an API key, who sees only its account, or the agent of a service. */
  readonly guard: 'none' | 'api_key' | 'agent_token'
  readonly params: P
  readonly query: Q
  readonly body: B
  /** How many bytes a body may have, unpacked. */
  readonly bodyBytes: number
  /** Status of the successful reply; 204 has no body. */
  readonly status: 200 | 201 | 202 | 204
  readonly answer: A
  /** What is sent is no JSON but of this type: a file, whole or a range of it. */
  readonly media: 'audio/*' | null
  /** Creations: an `Idempotency-Key` header makes a repetition harmless. */
  readonly idempotent: boolean
  /**
   * The schema of the object that the route is about, where it is about one: replies carry its `ETag`, a change
   * heeds `If-Match`. The schema leaves out what only one reply shows, so that all routes agree on the tag.
   */
  readonly versionOf: z.ZodType | null
  /** A list that can be had as a whole, as CSV or NDJSON, and which columns it has then. */
  readonly exported: ExportName | null
  /** What can go wrong beside the problems that every route can answer with. */
  readonly problems: readonly ProblemCode[]
}

const nothing = z.undefined()
const defaults = {
  guard: 'api_key',
  params: nothing,
  query: nothing,
  body: nothing,
  // The largest PBX document of a big office has some hundred KiB.
  bodyBytes: 1024 * 1024,
  status: 200,
  answer: nothing,
  media: null,
  idempotent: false,
  versionOf: null,
  exported: null,
  problems: [],
} as const

type Defaults = typeof defaults
type Given = Pick<Route, 'method' | 'path' | 'tag' | 'summary'> & Partial<Route>

/** A route with the defaults filled in; keeps the exact types of its schemas. */
export const route = <const R extends Given>(r: R): Omit<Defaults, keyof R> & R => ({
  ...defaults,
  ...r,
})

/** False: no body is the same as `{}`. A change is not: one that changes nothing is a mistake of its caller. */
export function needsBody({ method, body }: Route): boolean {
  return method !== 'POST' || !body.safeParse({}).success
}

export const serviceParams = z.strictObject({ uuid: z.uuid() })
export const webhookParams = z.strictObject({ id: WebhookId })

/** What lists are cut by. */
export const period = {
  since: GivenTime.optional().meta({ description: 'Not older than this.' }),
  until: GivenTime.optional().meta({ description: 'Older than this.' }),
}
