import { api } from '#contracts/api.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import { hideDocumentSecrets, restoreDocumentSecrets } from '#server/domain/hidden-secrets.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Caller, type Serving, serve } from '#server/http/serve.ts'
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

export function serveServices(serving: Serving, deps: RouteDeps): void {
  const { store, now, servicesChanged } = deps
  const read = async ({ caller, params }: OfService) =>
    found(await getService(store, caller.id, params.uuid))

  serve(serving, api.createService, async ({ caller, body }) => {
    const service = await createService(store, caller.id, body, now())
    servicesChanged(service.uuid)
    return service
  })
  serve(serving, api.listServices, async ({ caller, query }) => {
    return await listServices(store, caller.id, query)
  })
  serve(serving, api.getService, read)
  serve(
    serving,
    api.changeService,
    async ({ caller, params, body }) => {
      const service = found(await changeService(store, caller.id, params.uuid, body, now()))
      servicesChanged(service.uuid)
      return service
    },
    read,
  )
  serve(
    serving,
    api.deleteService,
    async ({ caller, params }) => {
      if (!(await deleteService(store, caller.id, params.uuid, now())))
        throw new ProblemError('not_found')
      servicesChanged(params.uuid)
      return undefined
    },
    read,
  )
  serve(serving, api.placeTestCall, async (input) => {
    const { uuid } = await read(input)
    if (!(await deps.placeTestCall(uuid, input.body))) throw new ProblemError('no_test_calls')
    return input.body
  })
  servePbxDocuments(serving, deps)
}

const stored = (text: string) => PbxDocument.parse(JSON.parse(text))

function servePbxDocuments(serving: Serving, deps: RouteDeps): void {
  const { store, now, servicesChanged } = deps
  const read = async ({ caller, params }: OfService) => {
    const text = found(await getPbxDocument(store, caller.id, params.uuid))
    return hideDocumentSecrets(stored(text))
  }
  serve(serving, api.getPbxDocument, read)
  serve(
    serving,
    api.putPbxDocument,
    async ({ caller, params, body }) => {
      const { connection } = found(await getService(store, caller.id, params.uuid))
      if (connection.kind !== 'asterisk_managed') throw new ProblemError('not_managed')
      const complete = (before: string | null) =>
        JSON.stringify(restoreDocumentSecrets(body, before === null ? null : stored(before)))
      await changePbxDocument(store, caller.id, params.uuid, complete, now())
      servicesChanged(params.uuid)
      return hideDocumentSecrets(body)
    },
    read,
  )
}
