import { randomUUID } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import type { Page, PageRequest } from '#contracts/page.ts'
import type { PbxConnection, Service, ServiceChange, ServiceDraft } from '#contracts/service.ts'
import {
  changeConnection,
  hideConnectionSecret,
  restoreConnectionSecret,
} from '#server/domain/hidden-secrets.ts'
import { isoOf } from '#server/domain/times.ts'
import { type Account, touchMatching } from '#server/store/accounts.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import type { Tables } from '#server/store/schema.ts'
import type { SecretBox } from '#server/store/secrets.ts'
import {
  type Check,
  type Db,
  nothingMore,
  type Store,
  type Trx,
  unchecked,
  type Within,
} from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'
import { removeWebhooksOfService } from '#server/store/webhooks.ts'

type Row = Selectable<Tables['service']>

const secretOf = (uuid: string) => `service ${uuid} ami`
const documentOf = (uuid: string) => `service ${uuid} pbx`

function sealed(secrets: SecretBox, uuid: string, connection: PbxConnection): string {
  return JSON.stringify(
    changeConnection(connection, (secret) => secrets.seal(secret, secretOf(uuid))),
  )
}

function serviceOf(row: Row): Service {
  return {
    uuid: row.uuid,
    type: 'hosted_pbx',
    name: row.name,
    friendly_name: row.friendly_name,
    country: row.country,
    applications_enabled: row.applications_enabled === 1,
    connection: hideConnectionSecret(JSON.parse(row.connection) as PbxConnection),
    created_at: isoOf(row.created_at),
    updated_at: isoOf(row.updated_at),
  }
}

async function refuseTakenName(
  db: Db,
  accountId: string,
  name: string,
  exceptUuid: string,
): Promise<void> {
  const other = await db
    .selectFrom('service')
    .select('uuid')
    .where('account_id', '=', accountId)
    .where('name', '=', name)
    .where('uuid', '!=', exceptUuid)
    .executeTakeFirst()
  if (other !== undefined) {
    throw new StoreError('name_taken', `Another service of the account has the name "${name}".`)
  }
}

/** Throws StoreError `name_taken`, HiddenSecretError. */
export async function createService(
  store: Store,
  accountId: string,
  draft: ServiceDraft,
  now: number,
  within: Within<Service> = nothingMore,
): Promise<Service> {
  return await store.write.transaction().execute(async (trx) => {
    const uuid = randomUUID()
    await refuseTakenName(trx, accountId, draft.name, uuid)
    const row = await trx
      .insertInto('service')
      .values({
        uuid,
        account_id: accountId,
        name: draft.name,
        friendly_name: draft.friendly_name,
        country: draft.country,
        applications_enabled: draft.applications_enabled ? 1 : 0,
        connection: sealed(store.secrets, uuid, restoreConnectionSecret(draft.connection, null)),
        pbx_document: null,
        agent_token_hash: null,
        created_at: now,
        updated_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    await touchMatching(trx, accountId)
    const created = serviceOf(row)
    await within(trx, created)
    return created
  })
}

async function findRow(db: Db, accountId: string, uuid: string): Promise<Row | null> {
  const row = await db
    .selectFrom('service')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('uuid', '=', uuid)
    .executeTakeFirst()
  return row ?? null
}

/** The service as it is, for this transaction alone to change. */
async function lockRow(
  trx: Trx,
  { facts }: Pick<Store, 'facts'>,
  accountId: string,
  uuid: string,
): Promise<Row | null> {
  await sql`
    select uuid from service
    where account_id = ${accountId} and uuid = ${uuid} ${facts.awaitRows('service')}`.execute(trx)
  return await findRow(trx, accountId, uuid)
}

export async function getService(
  store: Store,
  accountId: string,
  uuid: string,
): Promise<Service | null> {
  const row = await findRow(store.read, accountId, uuid)
  return row === null ? null : serviceOf(row)
}

export async function listServices(
  store: Store,
  accountId: string,
  page: PageRequest,
): Promise<Page<Service>> {
  const rows = await store.read
    .selectFrom('service')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('seq', '<', belowOf('services', page.cursor))
    .orderBy('seq', 'desc')
    .limit(page.limit + 1)
    .execute()
  return pageOfRows('services', page, rows, serviceOf)
}

/** The countries of the account's services, ISO 3166, each once: where its national numbers can be from. */
export async function listCountries(store: Store, accountId: string): Promise<readonly string[]> {
  const rows = await store.read
    .selectFrom('service')
    .select('country')
    .distinct()
    .where('account_id', '=', accountId)
    .where('country', 'is not', null)
    .execute()
  return rows.flatMap(({ country }) => country ?? [])
}

/** Null: the account has no such service. Throws StoreError `name_taken`, HiddenSecretError. */
export async function changeService(
  store: Store,
  accountId: string,
  uuid: string,
  change: ServiceChange,
  now: number,
  check: Check<Service> = unchecked,
): Promise<Service | null> {
  return await store.write.transaction().execute(async (trx) => {
    const row = await lockRow(trx, store, accountId, uuid)
    if (row === null) return null
    check(serviceOf(row))
    const name = change.name ?? row.name
    await refuseTakenName(trx, accountId, name, uuid)
    const changed = await trx
      .updateTable('service')
      .set({
        name,
        friendly_name: change.friendly_name ?? row.friendly_name,
        country: change.country === undefined ? row.country : change.country,
        applications_enabled:
          change.applications_enabled === undefined
            ? row.applications_enabled
            : change.applications_enabled
              ? 1
              : 0,
        connection: connectionAfter(store.secrets, row, change.connection),
        agent_token_hash: agentTokenAfter(row, change.connection),
        updated_at: now,
      })
      .where('uuid', '=', uuid)
      .returningAll()
      .executeTakeFirstOrThrow()
    await touchMatching(trx, accountId)
    return serviceOf(changed)
  })
}

function connectionAfter(secrets: SecretBox, row: Row, change: PbxConnection | undefined): string {
  if (change === undefined) return row.connection
  const meant = restoreConnectionSecret(change, openConnection(secrets, row))
  return sealed(secrets, row.uuid, meant)
}

/** A PBX that is reached otherwise from now on has no agent any more. */
const agentTokenAfter = (row: Row, change: PbxConnection | undefined): string | null =>
  change === undefined || change.kind === 'asterisk_agent' ? row.agent_token_hash : null

/** Removes the service, its PBX document, how far it was read, and its own webhooks. False: there is none. */
export async function deleteService(
  store: Store,
  accountId: string,
  uuid: string,
  now: number,
  check: Check<Service> = unchecked,
): Promise<boolean> {
  return await store.write.transaction().execute(async (trx) => {
    const row = await lockRow(trx, store, accountId, uuid)
    if (row === null) return false
    check(serviceOf(row))
    // Before the lanes of its webhooks, as whoever commits what was captured.
    await trx.deleteFrom('ownership').where('service_uuid', '=', uuid).execute()
    await removeWebhooksOfService(trx, store.facts, accountId, uuid, now)
    await trx.deleteFrom('open_call').where('service_uuid', '=', uuid).execute()
    await trx.deleteFrom('capture').where('service_uuid', '=', uuid).execute()
    await trx.deleteFrom('service').where('uuid', '=', uuid).execute()
    await touchMatching(trx, accountId)
    return true
  })
}

/** The stored PBX document as JSON text; null: no such service, or it has none. */
export async function getPbxDocument(
  store: Store,
  accountId: string,
  uuid: string,
): Promise<string | null> {
  const row = await findRow(store.read, accountId, uuid)
  return row === null ? null : openDocument(store.secrets, row)
}

/**
 * Stores what `change` makes of the stored document (JSON text; null: none yet); what it throws leaves all as it was.
 * False: the account has no such service.
 */
export async function changePbxDocument(
  store: Store,
  accountId: string,
  uuid: string,
  change: (stored: string | null) => string,
  now: number,
): Promise<boolean> {
  return await store.write.transaction().execute(async (trx) => {
    const row = await lockRow(trx, store, accountId, uuid)
    if (row === null) return false
    const json = change(openDocument(store.secrets, row))
    await trx
      .updateTable('service')
      .set({ pbx_document: store.secrets.seal(json, documentOf(uuid)), updated_at: now })
      .where('uuid', '=', uuid)
      .execute()
    return true
  })
}

function openDocument(
  secrets: SecretBox,
  { uuid, pbx_document }: Pick<Row, 'uuid' | 'pbx_document'>,
): string | null {
  return pbx_document === null ? null : secrets.open(pbx_document, documentOf(uuid))
}

function openConnection(secrets: SecretBox, row: Pick<Row, 'uuid' | 'connection'>): PbxConnection {
  const connection = JSON.parse(row.connection) as PbxConnection
  return changeConnection(connection, (secret) => secrets.open(secret, secretOf(row.uuid)))
}

/** A service with everything that capture needs, secrets in the clear: never leaves the process. */
export interface ServiceInside {
  readonly account: Account
  readonly service: Service
  readonly connection: PbxConnection
  /** JSON text, parsed by whoever knows its form. */
  readonly pbxDocument: string | null
}

/** Every service of every account, oldest first; `only` those, where they are named. */
export async function listServicesInside(
  store: Store,
  only?: readonly string[],
): Promise<readonly ServiceInside[]> {
  const all = store.read
    .selectFrom('service')
    .innerJoin('account', 'account.id', 'service.account_id')
    .selectAll('service')
    .select('account.name as account_name')
    .orderBy('service.seq')
  const rows = await (only === undefined ? all : all.where('uuid', 'in', only)).execute()
  return rows.map((row) => ({
    account: { id: row.account_id, name: row.account_name },
    service: serviceOf(row),
    connection: openConnection(store.secrets, row),
    pbxDocument: openDocument(store.secrets, row),
  }))
}
