import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { FieldError } from '#contracts/problem.ts'
import { needsBody, type Route } from '#contracts/route.ts'
import { plainWords } from '#server/domain/plain-words.ts'
import { etagOf, listsEtag } from '#server/http/etag.ts'
import type { Exports } from '#server/http/export.ts'
import { fieldErrors } from '#server/http/field-errors.ts'
import { fingerprintOf, type IdempotencyKeys, runOnce } from '#server/http/idempotency.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import type { Db } from '#server/store/store.ts'

/** The account that a request speaks for; the guard finds it by the API key, or by the token of an agent. */
export interface Caller {
  readonly id: string
  readonly name: string
  /** Whose agent calls; null for the holder of an API key. */
  readonly service: { readonly uuid: string; readonly name: string } | null
}

/** What every route is served with. */
export interface Serving {
  readonly app: FastifyInstance
  /** The account of the request's API key; throws `unauthorized`. */
  readonly callerOf: (request: FastifyRequest) => Promise<Caller>
  /** The service of the request's agent token, and its account; throws `agent_unauthorized`. */
  readonly agentOf: (request: FastifyRequest) => Promise<Caller>
  /** Epoch ms. */
  readonly now: () => number
  readonly idempotencyKeys: IdempotencyKeys
  readonly exports: Exports
}

/** A parsed request. Routes without a guard see a caller of empty strings. */
export interface Input<R extends Route> {
  readonly params: z.output<R['params']>
  readonly query: z.output<R['query']>
  readonly body: z.output<R['body']>
  readonly caller: Caller
  /** When its headers had come; epoch ms. */
  readonly receivedAt: number
}

type Readonlys<T> = T extends object ? { readonly [K in keyof T]: Readonlys<T[K]> } : T
/** What a handler returns: the answer's input type, which the handler need not be able to change. */
type Answer<R extends Route> = Readonlys<z.input<R['answer']>>

const nobody: Caller = { id: '', name: '', service: null }
const given = (schema: z.ZodType) => !(schema instanceof z.ZodUndefined)

/** The value by its schema, or every field of it that is wrong. */
export function parsed(
  schema: z.ZodType,
  value: unknown,
): { value: unknown; errors: FieldError[] } {
  if (!given(schema)) return { value: undefined, errors: [] }
  const result = schema.safeParse(value, { error: plainWords })
  if (result.success) return { value: result.data, errors: [] }
  return { value: undefined, errors: fieldErrors(schema, value, result.error) }
}

/** Refuses the request for these fields. */
export function wrongFields(errors: readonly FieldError[]): ProblemError {
  const fields = errors.map((e) => (e.field === '' ? 'the body' : e.field)).join(', ')
  return new ProblemError('invalid_input', `Wrong: ${fields}.`, { errors })
}

/** Parses all parts of the request; every wrong field of query and body is told at once. */
function inputOf<R extends Route>(route: R, request: FastifyRequest): Input<R> {
  const params = parsed(route.params, request.params)
  // An id that cannot exist names nothing, the same as one that does not.
  if (params.errors.length > 0) throw new ProblemError('not_found')
  const absent = given(route.body) && request.body === undefined
  if (absent && needsBody(route)) throw new ProblemError('invalid_json', 'The body is empty.')
  const query = parsed(route.query, request.query)
  const body = parsed(route.body, absent ? {} : request.body)
  const errors = [...query.errors, ...body.errors]
  if (errors.length > 0) throw wrongFields(errors)
  return {
    ...{ params: params.value, query: query.value, body: body.value },
    ...{ caller: request.caller ?? nobody, receivedAt: request.receivedAt },
  } as Input<R>
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = header(request, 'idempotency-key')
  if (key !== undefined && (key === '' || key.length > 255)) {
    throw new ProblemError('invalid_request', 'An Idempotency-Key has 1 to 255 characters.')
  }
  return key
}

/** Sends the JSON text of an answer, or 304 where the caller has it already. */
function send(request: FastifyRequest, reply: FastifyReply, route: Route, body: string): unknown {
  if (route.versionOf !== null && given(route.answer)) {
    const etag = etagOf(route.versionOf.parse(JSON.parse(body)))
    reply.header('etag', etag)
    const known = header(request, 'if-none-match')
    // An answer that tells more than its version stands for can be new although the version is not.
    const wholly = route.answer === route.versionOf
    if (route.method === 'GET' && wholly && known !== undefined && listsEtag(known, etag)) {
      return reply.code(304).send()
    }
  }
  return reply.type('application/json; charset=utf-8').send(body)
}

/** Registers one route of the contract behind its guard; `handle` sees parsed input and replies. */
export function register<R extends Route>(
  { app, callerOf, agentOf, now }: Serving,
  route: R,
  handle: (request: FastifyRequest, reply: FastifyReply, input: Input<R>) => Promise<unknown>,
): void {
  app.route({
    method: route.method,
    url: route.path,
    bodyLimit: route.bodyBytes,
    onRequest: async (request: FastifyRequest) => {
      request.receivedAt = now()
      if (route.guard === 'api_key') request.caller = await callerOf(request)
      if (route.guard === 'agent_token') request.caller = await agentOf(request)
    },
    handler: async (request, reply) => {
      const input = inputOf(route, request)
      return await handle(request, reply.code(route.status), input)
    },
  })
}

const textOf = <R extends Route>(route: R, answer: Answer<R>): string =>
  given(route.answer) ? JSON.stringify(route.answer.parse(answer)) : ''

/**
 * Serves one route: parsing, ETag, reply. The handler sees parsed input only, and what it returns is cut to what the
 * contract promises.
 */
export function serve<R extends Route & { readonly idempotent: false }>(
  serving: Serving,
  route: R,
  handler: (input: Input<R>) => Promise<Answer<R>>,
): void {
  register(serving, route, async (request, reply, input) =>
    send(request, reply, route, textOf(route, await handler(input))),
  )
}

/**
 * Called by a change within its transaction, with the object as it is, locked: throws `precondition_failed` where
 * `If-Match` speaks of another. Without `If-Match` it does nothing.
 */
export type Unchanged<R extends Route> = (
  present: Readonlys<z.input<NonNullable<R['versionOf']>>> | null,
) => void

/** Serves a route that changes an object and heeds `If-Match`. */
export function serveChange<R extends Route & { readonly idempotent: false }>(
  serving: Serving,
  route: R,
  handler: (input: Input<R>, unchanged: Unchanged<R>) => Promise<Answer<R>>,
): void {
  register(serving, route, async (request, reply, input) => {
    const ifMatch = header(request, 'if-match')
    const answer = await handler(input, (present) => {
      if (ifMatch === undefined) return
      const etag = present === null ? null : etagOf(route.versionOf?.parse(present))
      if (etag === null || !listsEtag(ifMatch, etag)) throw new ProblemError('precondition_failed')
    })
    return send(request, reply, route, textOf(route, answer))
  })
}

/** Called by a creation within its transaction: what the reply will be. Without an `Idempotency-Key` it does nothing. */
export type Remember<R extends Route> = (trx: Db, answer: Answer<R>) => Promise<void>

/**
 * Serves a route that creates something and heeds `Idempotency-Key`: a repetition gets the first reply again. The
 * handler passes its answer to `remember` in the transaction that creates.
 */
export function serveCreation<R extends Route & { readonly idempotent: true }>(
  serving: Serving,
  route: R,
  handler: (input: Input<R>, remember: Remember<R>) => Promise<Answer<R>>,
): void {
  const { status } = route
  register(serving, route, async (request, reply, input) => {
    const key = idempotencyKeyOf(request)
    if (key === undefined) {
      return send(request, reply, route, textOf(route, await handler(input, async () => undefined)))
    }
    const print = fingerprintOf(`${route.method} ${request.url}`, input.body)
    const stored = await runOnce(
      serving.idempotencyKeys,
      input.caller.id,
      key,
      print,
      async (remember) => {
        const answer = await handler(input, async (trx, made) => {
          await remember(trx, { status, body: textOf(route, made) })
        })
        return { status, body: textOf(route, answer) }
      },
    )
    if (stored.repeated) reply.header('idempotency-replayed', 'true')
    return send(request, reply.code(stored.status), route, stored.body)
  })
}
