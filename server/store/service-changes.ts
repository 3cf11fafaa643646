/**
 * Changes of a service that bring events of its users, thousands at once: whole transactions (`procedures.ts`), made
 * of a service as it was read. Each gives false, and does nothing, where it is not that version any more.
 */
import { acceptInto, type NewAcceptance } from '#server/store/accept.ts'
import { touchMatching } from '#server/store/accounts.ts'
import { changeObjects, isNothing, type ObjectChanges } from '#server/store/call-flow-webhooks.ts'
import { lockLanes } from '#server/store/lanes.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import type { Trx } from '#server/store/store.ts'
import { removeWebhooksOfService } from '#server/store/webhooks.ts'

interface ServiceAsRead {
  readonly accountId: string
  readonly uuid: string
  readonly version: number
  /** The events of its users; its time is that of the change. */
  readonly acceptance: NewAcceptance
}

export interface DocumentReplacement extends ServiceAsRead {
  /** Sealed. */
  readonly document: string
  readonly objects: ObjectChanges
}

export type ServiceRemoval = ServiceAsRead

/** Writes the new version, and so holds the service until the end of the transaction. */
async function takeVersion(
  trx: Trx,
  { accountId, uuid, version, acceptance }: ServiceAsRead,
  document?: string,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('service')
    .set({
      version: version + 1,
      updated_at: acceptance.now,
      ...(document !== undefined && { pbx_document: document }),
    })
    .where('account_id', '=', accountId)
    .where('uuid', '=', uuid)
    .where('version', '=', version)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function replaceDocumentInto(
  trx: Trx,
  context: ProcedureContext,
  request: DocumentReplacement,
): Promise<boolean> {
  if (!(await takeVersion(trx, request, request.document))) return false
  const { accountId, acceptance, objects } = request
  if (!isNothing(objects)) {
    await lockLanes(trx, context.facts, await lanesNear(trx, accountId, request.uuid))
    await changeObjects(trx, context.facts, accountId, objects, acceptance.now)
  }
  if (acceptance.events.length > 0) await acceptInto(trx, context, [acceptance])
  return true
}

export async function removeServiceInto(
  trx: Trx,
  context: ProcedureContext,
  request: ServiceRemoval,
): Promise<boolean> {
  const { accountId, uuid, acceptance } = request
  if (!(await takeVersion(trx, request))) return false
  // Before the lanes of its webhooks, as whoever commits what was captured.
  await trx.deleteFrom('ownership').where('service_uuid', '=', uuid).execute()
  await lockLanes(trx, context.facts, await lanesNear(trx, accountId, uuid))
  await removeWebhooksOfService(trx, context.facts, accountId, uuid, acceptance.now)
  // Its own webhooks hear nothing of it any more.
  await touchMatching(trx, accountId)
  if (acceptance.events.length > 0) await acceptInto(trx, context, [acceptance])
  await trx.deleteFrom('open_call').where('service_uuid', '=', uuid).execute()
  await trx.deleteFrom('capture').where('service_uuid', '=', uuid).execute()
  await trx.deleteFrom('service').where('uuid', '=', uuid).execute()
  await touchMatching(trx, accountId)
  return true
}

/** The webhooks that go with the service, and those that hear of it: all are locked at once, in one order. */
async function lanesNear(trx: Trx, accountId: string, uuid: string): Promise<readonly string[]> {
  const rows = await trx
    .selectFrom('webhook')
    .select('id')
    .where('account_id', '=', accountId)
    .where((e) => e.or([e('service_uuid', '=', uuid), e('service_uuid', 'is', null)]))
    .where('deleted_at', 'is', null)
    .execute()
  return rows.map(({ id }) => id)
}
