import { api } from '#contracts/api.ts'
import type { ProblemCode } from '#contracts/problem.ts'
import { isoOf } from '#server/domain/times.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { type AgentShipped, found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, type Serving, serve } from '#server/http/serve.ts'
import { createAgentToken } from '#server/store/agent-tokens.ts'
import { getService } from '#server/store/services.ts'

const refusals: Readonly<Record<Exclude<AgentShipped['is'], 'committed'>, ProblemCode>> = {
  elsewhere: 'agent_behind',
  no_session: 'agent_behind',
  replaced: 'agent_replaced',
  not_committed: 'not_committed',
}

function serviceOf({ service }: Caller) {
  if (service === null) throw new ProblemError('agent_unauthorized')
  return service
}

export function serveAgents(serving: Serving, { store, now, agents }: RouteDeps): void {
  serve(serving, api.createAgentToken, async ({ caller, params }) => {
    const { connection } = found(await getService(store, caller.id, params.uuid))
    if (connection.kind !== 'asterisk_agent') throw new ProblemError('no_agent')
    return found(await createAgentToken(store, caller.id, params.uuid))
  })
  serve(serving, api.connectAgent, async ({ caller, body, receivedAt }) => {
    const service = serviceOf(caller)
    const session = agents.connect(service.uuid, body.version)
    if (session === null) throw new ProblemError('agent_elsewhere')
    return { service, ...session, received_at: isoOf(receivedAt), replied_at: isoOf(now()) }
  })
  serve(serving, api.shipRecords, async ({ caller, body, receivedAt }) => {
    const shipped = await agents.ship(serviceOf(caller).uuid, body)
    if (shipped.is !== 'committed') throw new ProblemError(refusals[shipped.is])
    return { cursor: shipped.cursor, received_at: isoOf(receivedAt), replied_at: isoOf(now()) }
  })
}
