import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { asyncApiDocument } from '#server/http/asyncapi.ts'
import { createAudioSender } from '#server/http/audio.ts'
import { createExports } from '#server/http/export.ts'
import { openApiDocument } from '#server/http/openapi.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import type { RouteDeps } from '#server/http/route-deps.ts'
import { serveAccount } from '#server/http/routes/account.ts'
import { serveAgents } from '#server/http/routes/agents.ts'
import { serveCalls } from '#server/http/routes/calls.ts'
import { serveDeliveries } from '#server/http/routes/deliveries.ts'
import { serveEventTypes } from '#server/http/routes/event-types.ts'
import { serveEvents } from '#server/http/routes/events.ts'
import { serveHealth } from '#server/http/routes/health.ts'
import { servePredefined } from '#server/http/routes/predefined.ts'
import { servePreviews } from '#server/http/routes/previews.ts'
import { serveRecovery } from '#server/http/routes/recovery.ts'
import { serveServices } from '#server/http/routes/services.ts'
import { serveTls } from '#server/http/routes/tls.ts'
import { serveWebhooks } from '#server/http/routes/webhooks.ts'
import type { Caller, Serving } from '#server/http/serve.ts'
import { createServer } from '#server/http/server.ts'
import { findServiceByAgentToken } from '#server/store/agent-tokens.ts'
import { findAccountByApiKey } from '#server/store/api-keys.ts'
import type { Store } from '#server/store/store.ts'

/** RFC 6750: the scheme in any case, then the key. */
const bearer = /^Bearer +([\x21-\x7e]{1,200}) *$/i

const bearerOf = (request: FastifyRequest): string | undefined =>
  bearer.exec(request.headers.authorization ?? '')?.[1]

async function callerOf(store: Store, request: FastifyRequest): Promise<Caller> {
  const key = bearerOf(request)
  const account = key === undefined ? null : await findAccountByApiKey(store, key)
  if (account === null) throw new ProblemError('unauthorized')
  return { ...account, service: null }
}

async function agentOf(store: Store, request: FastifyRequest): Promise<Caller> {
  const token = bearerOf(request)
  const agent = token === undefined ? null : await findServiceByAgentToken(store, token)
  if (agent === null) throw new ProblemError('agent_unauthorized')
  return { ...agent.account, service: agent.service }
}

/** The whole API on a server that does not listen yet. */
export function serveApi(deps: RouteDeps, log: Logger): FastifyInstance {
  const app = createServer(log)
  const serving: Serving = {
    app,
    callerOf: async (request) => await callerOf(deps.store, request),
    agentOf: async (request) => await agentOf(deps.store, request),
    now: deps.now,
    idempotencyKeys: deps.idempotencyKeys,
    exports: createExports(log),
  }
  const audio = createAudioSender(log)
  // Before the server waits for requests under way: an export or a recording could last for hours.
  app.addHook('preClose', async () => {
    serving.exports.cut()
    audio.cut()
  })
  serveServices(serving, deps)
  serveAgents(serving, deps)
  serveWebhooks(serving, deps)
  servePreviews(serving, deps)
  servePredefined(serving, deps)
  serveTls(serving, deps)
  serveAccount(serving, deps)
  serveDeliveries(serving, deps)
  serveRecovery(serving, deps)
  serveEvents(serving, deps)
  serveCalls(serving, deps, audio)
  serveEventTypes(serving)
  serveHealth(serving, deps)
  const documents = {
    '/api/openapi.json': openApiDocument(deps.version),
    '/api/asyncapi.json': asyncApiDocument(deps.version),
  }
  for (const [path, document] of Object.entries(documents)) {
    const text = JSON.stringify(document)
    app.get(path, async (_request, reply) =>
      reply.type('application/json; charset=utf-8').send(text),
    )
  }
  return app
}
