import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Route } from '#contracts/api.ts'
import type { FieldError } from '#contracts/problem.ts'
import { etagOf, listsEtag } from '#server/http/etag.ts'
import type { Exports } from '#server/http/export.ts'
import { fieldErrors } from '#server/http/field-errors.ts'
import { fingerprintOf, type IdempotencyKeys, runOnce } from '#server/http/idempotency.ts'
import { ProblemError } from '#server/http/problem-error.ts'

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
  readonly inTurn: <T>(key: string, work: () => Promise<T>) => Promise<T>
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

function parsed(schema: z.ZodType, value: unknown): { value: unknown; errors: FieldError[] } {
  if (!given(schema)) return { value: undefined, errors: [] }
  const result = schema.safeParse(value)
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
  if (given(route.body) && request.body === undefined) {
    throw new ProblemError('invalid_json', 'The body is empty.')
  }
  const query = parsed(route.query, request.query)
  const body = parsed(route.body, request.body)
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
    if (route.method === 'GET' && known !== undefined && listsEtag(known, etag)) {
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

/**
 * Serves one route: parsing, `If-Match`, `Idempotency-Key`, ETag, reply. The handler
 * sees parsed input only, and what it returns is cut to what the contract promises.
 * A route that changes an object gives `current`, which reads the object that `If-Match` speaks of.
 */
export function serve<R extends Route>(
  serving: Serving,
  route: R,
  handler: (input: Input<R>) => Promise<Answer<R>>,
  current?: (input: Input<R>) => Promise<unknown>,
): void {
  const { idempotencyKeys, inTurn } = serving
  const answer = async (input: Input<R>): Promise<string> => {
    const result = await handler(input)
    return given(route.answer) ? JSON.stringify(route.answer.parse(result)) : ''
  }
  const unlessChanged = async (input: Input<R>, ifMatch: string | undefined) => {
    if (ifMatch === undefined || current === undefined) return
    const etag = etagOf(route.versionOf?.parse(await current(input)))
    if (!listsEtag(ifMatch, etag)) throw new ProblemError('precondition_failed')
  }
  register(serving, route, async (request, reply, input) => {
    const { caller } = input
    const key = route.idempotent ? idempotencyKeyOf(request) : undefined
    if (key !== undefined) {
      const print = fingerprintOf(`${route.method} ${route.path}`, input.body)
      const work = async () => ({ status: route.status, body: await answer(input) })
      const stored = await runOnce(idempotencyKeys, caller.id, key, print, work)
      if (stored.repeated) reply.header('idempotency-replayed', 'true')
      return send(request, reply.code(stored.status), route, stored.body)
    }
    if (current === undefined) return send(request, reply, route, await answer(input))
    const object = `${caller.id} ${JSON.stringify(input.params)}`
    const body = await inTurn(object, async () => {
      await unlessChanged(input, header(request, 'if-match'))
      return await answer(input)
    })
    return send(request, reply, route, body)
  })
}
