import type { AgentState } from '#contracts/agent.ts'
import { api } from '#contracts/api.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { Service, ServiceStatus } from '#contracts/service.ts'
import { hideDocumentSecrets, restoreDocumentSecrets } from '#server/domain/hidden-secrets.ts'
import { isoOf } from '#server/domain/times.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, type Serving, serve, serveChange, serveCreation } from '#server/http/serve.ts'
import { checkObjectUrls } from '#server/http/webhook-checks.ts'
import { beginCapture } from '#server/store/captures.ts'
import {
  changePbxDocument,
  changeService,
  createService,
  deleteService,
  getPbxDocument,
  getService,
  listServices,
} from '#server/store/services.ts'

interface OfService {
  readonly caller: Caller
  readonly params: { readonly uuid: string }
}

/** Nobody has shipped anything for this service here. */
const absent: AgentState = {
  connected: false,
  version: null,
  connected_at: null,
  last_seen_at: null,
  caught_up: false,
  clock: null,
}

function statusOf(deps: RouteDeps, { uuid, connection }: Service): ServiceStatus {
  const agent = connection.kind === 'asterisk_agent' ? (deps.agents.state(uuid) ?? absent) : null
  const state = deps.pbxState(uuid)
  const test_calls = deps.takesTestCalls(uuid)
  if (state === null) {
    const unknown = { reason: null, document: null, agent, test_calls }
    return deps.store.facts.singleProcess
      ? { pbx: 'starting', since: isoOf(deps.now()), ...unknown }
      : { pbx: 'elsewhere', since: null, ...unknown }
  }
  const { is, since, because, document } = state
  return {
    pbx: is,
    since: isoOf(since),
    reason: because,
    document: document && {
      state: document.is,
      since: isoOf(document.since),
      reason: document.because,
      restart_needed: document.restartNeeded,
    },
    agent,
    test_calls,
  }
}

export function serveServices(serving: Serving, deps: RouteDeps): void {
  const { store, now, servicesChanged } = deps
  const shown = (service: Service) => ({ ...service, status: statusOf(deps, service) })
  const read = async ({ caller, params }: OfService) =>
    found(await getService(store, caller.id, params.uuid))

  serveCreation(serving, api.createService, async ({ caller, body }, remember) => {
    // Before the answer: what the PBX writes from then on is told, whenever its file is opened.
    const from = await deps.captureFrom(body.connection)
    const at = now()
    const service = await createService(store, caller.id, body, at, async (trx, created) => {
      if (from !== null) await beginCapture(trx, created.uuid, from, at)
      await remember(trx, shown(created))
    })
    servicesChanged(service.uuid)
    return shown(service)
  })
  serve(serving, api.listServices, async ({ caller, query }) => {
    const page = await listServices(store, caller.id, query)
    return { ...page, items: page.items.map(shown) }
  })
  serve(serving, api.getService, async (input) => shown(await read(input)))
  serveChange(serving, api.changeService, async ({ caller, params, body }, unchanged) => {
    const changed = await changeService(store, caller.id, params.uuid, body, now(), unchanged)
    const service = found(changed)
    servicesChanged(service.uuid)
    return shown(service)
  })
  serveChange(serving, api.deleteService, async ({ caller, params }, unchanged) => {
    // Its PBX is not to be stopped for nothing; whether it is gone is decided below.
    unchanged(await read({ caller, params }))
    await deps.serviceLeaves(params.uuid)
    if (!(await deleteService(store, caller.id, params.uuid, now(), unchanged)))
      throw new ProblemError('not_found')
    servicesChanged(params.uuid)
    return undefined
  })
  serve(serving, api.placeTestCall, async (input) => {
    const { uuid } = await read(input)
    if (!(await deps.placeTestCall(uuid, input.body))) throw new ProblemError('no_test_calls')
    return input.body
  })
  servePbxDocuments(serving, deps)
}

function servePbxDocuments(serving: Serving, deps: RouteDeps): void {
  const { store, now, servicesChanged } = deps
  const read = async ({ caller, params }: OfService) => {
    return hideDocumentSecrets(found(await getPbxDocument(store, caller.id, params.uuid)))
  }
  serve(serving, api.getPbxDocument, read)
  serveChange(serving, api.putPbxDocument, async ({ caller, params, body }, unchanged) => {
    const { connection } = found(await getService(store, caller.id, params.uuid))
    if (connection.kind !== 'asterisk_managed') throw new ProblemError('not_managed')
    await checkObjectUrls(deps, body)
    const complete = (before: PbxDocument | null) => {
      unchanged(before && hideDocumentSecrets(before))
      return restoreDocumentSecrets(body, before)
    }
    found((await changePbxDocument(store, caller.id, params.uuid, complete, now())) || null)
    servicesChanged(params.uuid)
    return hideDocumentSecrets(body)
  })
}
