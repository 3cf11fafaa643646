/**
 * The webhooks of scope `call_flow`: each is the Webhook object of one component of a PBX document, told by service and
 * name. The document says where they go; it makes, changes and removes them in the transaction that stores it.
 */
import { isDeepStrictEqual } from 'node:util'
import type { PbxComponentWebhook, PbxDocument } from '#contracts/pbx.ts'
import { plainRequest, type RequestSettings } from '#contracts/webhook/request.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { touchMatching } from '#server/store/accounts.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import { releaseLane } from '#server/store/release.ts'
import type { SecretBox } from '#server/store/secrets.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { requestColumns, requestOf } from '#server/store/webhook-requests.ts'
import {
  insertWebhook,
  type NewWebhookRows,
  newWebhookRows,
  removeWebhooks,
} from '#server/store/webhooks.ts'

/** What a document changes of them. Nothing in the clear. */
export interface ObjectChanges {
  readonly made: readonly NewWebhookRows[]
  readonly changed: readonly {
    readonly id: string
    /** It goes elsewhere now, where there may be somebody who answers. */
    readonly moved: boolean
    readonly columns: {
      readonly url: string
      readonly request: string | null
      readonly request_version: string | null
    }
  }[]
  /** Ids. */
  readonly removed: readonly string[]
}

export const isNothing = ({ made, changed, removed }: ObjectChanges): boolean =>
  made.length + changed.length + removed.length === 0

/** The webhooks whose leases are not as they were afterwards. */
export const idsOf = ({ changed, removed }: ObjectChanges): readonly string[] => [
  ...changed.map(({ id }) => id),
  ...removed,
]

/** From what is stored to what the document says; holds for the version of the service that was read before. */
export async function planObjects(
  store: Pick<Store, 'read' | 'secrets'>,
  of: { readonly accountId: string; readonly serviceUuid: string; readonly now: number },
  document: PbxDocument,
): Promise<ObjectChanges> {
  const { accountId, serviceUuid, now } = of
  const box = store.secrets
  const rows = await store.read
    .selectFrom('webhook')
    .select(['id', 'component', 'url', 'request'])
    .where('account_id', '=', accountId)
    .where('service_uuid', '=', serviceUuid)
    .where('scope', '=', 'call_flow')
    .where('deleted_at', 'is', null)
    .execute()
  const stored = new Map(rows.map((row) => [row.component, row]))
  const made: NewWebhookRows[] = []
  const changed: ObjectChanges['changed'][number][] = []
  for (const { name, webhook: object } of document.components) {
    if (object === null) continue
    const row = stored.get(name)
    stored.delete(name)
    if (row === undefined) {
      const draft = { ...draftOf(name, serviceUuid, object), component: name }
      const { webhook, lane } = newWebhookRows(box, accountId, draft, now)
      made.push({ webhook, lane })
      continue
    }
    const columns = columnsOf(box, row, object)
    if (columns !== null) changed.push({ id: row.id, moved: row.url !== object.url, columns })
  }
  return { made, changed, removed: [...stored.values()].map(({ id }) => id) }
}

/** In the Phone Cloud format, as the documents of that vendor say of the Webhook object. */
function requestPartOf({ secret_token, headers }: PbxComponentWebhook) {
  return {
    payload: { style: 'phone-cloud' as const },
    authentication:
      secret_token === null
        ? { type: 'none' as const }
        : { type: 'pbx_token' as const, token: secret_token },
    headers,
  }
}

function draftOf(name: string, serviceUuid: string, object: PbxComponentWebhook): WebhookDraft {
  return WebhookDraft.parse({
    name,
    url: object.url,
    service_uuid: serviceUuid,
    triggers: ['webhook_component_event'],
    ...requestPartOf(object),
  })
}

/** Null: it is as the document says. */
function columnsOf(
  box: SecretBox,
  row: { readonly id: string; readonly url: string; readonly request: string | null },
  object: PbxComponentWebhook,
): ObjectChanges['changed'][number]['columns'] | null {
  const before = requestOf(box, row)
  // What the document does not speak of is as somebody has set it.
  const request: RequestSettings = { ...plainRequest, ...before, ...requestPartOf(object) }
  if (isDeepStrictEqual(request, before) && row.url === object.url) return null
  return { url: object.url, ...requestColumns(box, row.id, request) }
}

/** Part of the transaction that stores the document; the lanes are locked. */
export async function changeObjects(
  trx: Trx,
  facts: DialectFacts,
  accountId: string,
  { made, changed, removed }: ObjectChanges,
  now: number,
): Promise<void> {
  for (const rows of made) await insertWebhook(trx, rows)
  for (const { id, moved, columns } of changed) {
    const { enabled } = await trx
      .updateTable('webhook')
      .set({ ...columns, updated_at: now })
      .where('id', '=', id)
      .returning('enabled')
      .executeTakeFirstOrThrow()
    if (moved && enabled === 1) await releaseLane(trx, id, now)
  }
  if (removed.length > 0) await removeWebhooks(trx, facts, removed, now)
  await touchMatching(trx, accountId)
}
