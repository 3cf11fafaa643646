/**
 * The settings of a webhook's request in its row. Most webhooks have the plain ones, which take no room; the others' are
 * read by the deliverer when it first sees their version, not with every claim.
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { plainRequest, type RequestSettings } from '#contracts/webhook/request.ts'
import { changeRequest } from '#server/domain/hidden-secrets.ts'
import { mergedCauses } from '#server/domain/render/hangup-causes.ts'
import { readCauses } from '#server/store/account-settings.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import { requestVersion, tlsVersion } from '#server/store/lanes.ts'
import type { SecretBox } from '#server/store/secrets.ts'
import { signingSecrets } from '#server/store/signing-secrets.ts'
import type { Store } from '#server/store/store.ts'

interface RequestColumns {
  /** JSON of `RequestSettings`, its secrets sealed; null: the plain ones. */
  readonly request: string | null
  /** New with every change; null: the plain ones. */
  readonly request_version: string | null
}

const aboutOf = (webhookId: string, owner: string) => `webhook ${webhookId} ${owner}`

/** The settings of the request among all those of a webhook. */
export function requestPart(settings: RequestSettings): RequestSettings {
  const { method, format, path_arguments, authentication } = settings
  const { signed, headers, payload, hangup_causes, connector } = settings
  return {
    ...{ method, format, path_arguments, authentication },
    ...{ signed, headers, payload, hangup_causes, connector },
  }
}

export function requestColumns(
  box: SecretBox,
  webhookId: string,
  settings: RequestSettings,
): RequestColumns {
  const own = requestPart(settings)
  if (isDeepStrictEqual(own, plainRequest)) return { request: null, request_version: null }
  const sealed = changeRequest(own, null, (secret, _path, owner) =>
    box.seal(secret, aboutOf(webhookId, owner)),
  )
  // Never the same twice: a version names its content everywhere.
  const version = randomBytes(12).toString('base64url')
  return { request: JSON.stringify(sealed), request_version: version }
}

/** The settings as they are, with their secrets. */
export function requestOf(
  box: SecretBox,
  { id, request }: { readonly id: string; readonly request: string | null },
): RequestSettings {
  if (request === null) return plainRequest
  return changeRequest(JSON.parse(request) as RequestSettings, null, (sealed, _path, owner) =>
    box.open(sealed, aboutOf(id, owner)),
  )
}

/** For the deliverer only: the secrets are in the clear. With what the account sets for all its webhooks. */
export async function readRequest(store: Store, webhookId: string): Promise<RequestSettings> {
  const row = await store.read
    .selectFrom('webhook as w')
    .innerJoin('account as a', 'a.id', 'w.account_id')
    .select(['w.id', 'w.request', 'a.hangup_causes'])
    .where('w.id', '=', webhookId)
    .executeTakeFirstOrThrow()
  const own = requestOf(store.secrets, row)
  return { ...own, hangup_causes: mergedCauses(readCauses(row.hangup_causes), own.hangup_causes) }
}

/** What a request to the webhook is sent with, outside of any delivery. Null: the account has no such webhook. */
export async function readForSending(
  store: Store,
  accountId: string,
  webhookId: string,
): Promise<ClaimedWebhook | null> {
  const row = await store.read
    .selectFrom('webhook as w')
    .innerJoin('account as a', 'a.id', 'w.account_id')
    .select(['w.id', 'w.url', 'w.timeout_seconds'])
    .select([tlsVersion.as('tls_version'), requestVersion.as('request_version')])
    .select(signingSecrets.as('secrets'))
    .where('w.account_id', '=', accountId)
    .where('w.id', '=', webhookId)
    .where('w.deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined) return null
  return {
    id: row.id,
    url: row.url,
    retries: 0,
    timeoutMs: row.timeout_seconds * 1_000,
    concurrency: 1,
    sealedSecrets: row.secrets,
    tlsVersion: row.tls_version,
    requestVersion: row.request_version,
    troubled: false,
    probe: false,
  }
}
