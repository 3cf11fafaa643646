import { randomBytes } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import fastify, {
  type ConnectionError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Logger } from 'pino'
import { api } from '#contracts/api.ts'
import { problems } from '#contracts/problem.ts'
import type { Route } from '#contracts/route.ts'
import { asProblem, ProblemError, problemReply } from '#server/http/problem-error.ts'
import type { Caller } from '#server/http/serve.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard; null on routes without one. */
    caller: Caller | null
    /** Set by every route of ours; epoch ms. */
    receivedAt: number
  }
}

const newRequestId = () => `req_${randomBytes(9).toString('base64url')}`

const routes: readonly Route[] = Object.values(api)

/** The methods of the address, told by the route table: a wrong method is another mistake than a wrong address. */
function methodsAt(path: string): readonly string[] {
  return routes
    .filter((route) => {
      const pattern = route.path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')
      return new RegExp(`^${pattern}$`).test(path)
    })
    .map((route) => route.method)
}

/**
 * One line per request, with neither query (phone numbers) nor headers (keys). An agent speaks every few seconds, and
 * asks every node for the one that is its own: of it, only what went wrong is worth a line.
 */
function logRequest(log: Logger, request: FastifyRequest, status: number, ms: number): void {
  const line = {
    request_id: request.id,
    method: request.method,
    path: request.url.split('?', 1)[0],
    status,
    ms: Math.round(ms * 10) / 10,
    account: request.caller?.id ?? null,
  }
  const agent = request.caller !== null && request.caller.service !== null
  if (agent && (status < 400 || status === 503)) log.debug(line, 'request')
  else if (status >= 500) log.error(line, 'request failed')
  else log.info(line, 'request')
}

/** Sends the problem that an error is; an error of our own goes to the log. */
async function sendProblem(
  log: Logger,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const problem = asProblem(error)
  if (problem.code === 'internal') {
    log.error({ request_id: request.id, err: error }, 'a request met an error of our own')
  }
  if (problems[problem.code].status === 401) reply.header('www-authenticate', 'Bearer')
  return await reply
    .code(problems[problem.code].status)
    .type('application/problem+json; charset=utf-8')
    .send(JSON.stringify(problemReply(problem, request.id)))
}

/** What arrived is not HTTP, or too slow or too large to become a request: answered by hand, and closed. */
function refuseConnection(error: ConnectionError, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const large = error.code === 'HPE_HEADER_OVERFLOW'
  const problem = problemReply(
    new ProblemError(large ? 'headers_too_large' : 'invalid_request'),
    newRequestId(),
  )
  const body = JSON.stringify(problem)
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      'Content-Type: application/problem+json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}

function replyWithProblems(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler(
    async (error, request, reply) => await sendProblem(log, error, request, reply),
  )
  // Here and not in a handler: before Fastify looks at what an unknown method such as QUERY brings along.
  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    const methods = methodsAt(request.url.split('?', 1)[0] ?? '')
    if (methods.length === 0) throw new ProblemError('route_not_found')
    reply.header('allow', methods.join(', '))
    throw new ProblemError('method_not_allowed')
  })
}

/** Bodies are JSON in UTF-8, and an absent body is no error here: routes say whether they want one. */
function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined)
    let text: string
    try {
      text = utf8.decode(body as Buffer)
    } catch {
      return done(new ProblemError('invalid_json', 'The body is not UTF-8.'))
    }
    return parse(request, text, (error, value) =>
      error === null ? done(null, value) : done(whyNoJson(text) ?? error),
    )
  })
}

/** With the place, which Fastify does not tell. Null: it is JSON, and refused for another reason. */
function whyNoJson(text: string): ProblemError | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return new ProblemError('invalid_json', `The body is not JSON: ${said}.`)
  }
}

/**
 * Bodies may be compressed. The limit of a route is that of the unpacked body: Fastify counts what this stream gives,
 * so a small body that unpacks to a huge one is refused when it passes the limit, and never held in memory.
 */
function acceptGzip(app: FastifyInstance): void {
  app.addHook('preParsing', async (request, reply, payload) => {
    const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity'
    if (encoding === 'identity') return payload
    if (encoding !== 'gzip') {
      throw new ProblemError('unsupported_media_type', 'Send the body as it is, or as gzip.')
    }
    const unpacked = createGunzip()
    // An error of either ends the other; Fastify, which reads, answers it.
    pipeline(payload, unpacked, () => undefined)
    reply.raw.once('close', () => unpacked.destroy())
    // What Content-Length speaks of, for Fastify to compare with.
    return Object.assign(unpacked, {
      receivedEncodedLength: Number(request.headers['content-length'] ?? 0),
    })
  })
}

/**
 * A Fastify instance with our manners: request ids, one log line per request, JSON bodies (gzip or not), every
 * refusal an RFC 9457 problem. Routes are added by `routes/*.ts`.
 */
export function createServer(log: Logger): FastifyInstance {
  const app = fastify({
    logger: false,
    requestTimeout: 30_000,
    // `close` ends idle connections at once and lets requests under way finish.
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    genReqId: newRequestId,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => void sendProblem(log, error, request, reply),
  })
  app.decorateRequest('caller', null)
  app.decorateRequest('receivedAt', 0)
  app.addHook('onSend', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
  })
  app.addHook('onResponse', async (request, reply) => {
    logRequest(log, request, reply.statusCode, reply.elapsedTime)
  })
  acceptJsonOnly(app)
  acceptGzip(app)
  replyWithProblems(app, log)
  return app
}
