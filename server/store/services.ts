import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Selectable, sql } from 'kysely'
import type { Page, PageRequest } from '#contracts/page.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import type { PbxConnection, Service, ServiceChange, ServiceDraft } from '#contracts/service.ts'
import { type DocumentChange, userEvents } from '#server/domain/events/user-changes.ts'
import {
  changeConnection,
  hideConnectionSecret,
  restoreConnectionSecret,
} from '#server/domain/hidden-secrets.ts'
import { isoOf } from '#server/domain/times.ts'
import { type NewAcceptance, type NewEvent, newEvent } from '#server/store/accept.ts'
import { type Account, touchMatching } from '#server/store/accounts.ts'
import { idsOf, planObjects } from '#server/store/call-flow-webhooks.ts'
import { whileAllSetAside } from '#server/store/courier.ts'
import { firstPeriod, periodAfter } from '#server/store/off-period.ts'
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
        ...firstPeriod(draft.applications_enabled, now),
        connection: sealed(store.secrets, uuid, restoreConnectionSecret(draft.connection, null)),
        pbx_document: null,
        agent_token_hash: null,
        version: 1,
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
    const was = row.applications_enabled === 1
    const applications = change.applications_enabled ?? was
    const changed = await trx
      .updateTable('service')
      .set({
        name,
        friendly_name: change.friendly_name ?? row.friendly_name,
        country: change.country === undefined ? row.country : change.country,
        applications_enabled: applications ? 1 : 0,
        ...periodAfter(row, [was, applications], now),
        connection: connectionAfter(store.secrets, row, change.connection),
        agent_token_hash: agentTokenAfter(row, change.connection),
        version: row.version + 1,
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

/**
 * Removes the service, its PBX document, how far it was read, and its own webhooks; tells `user.deleted` of the users
 * that it had, to webhooks of the account. False: there is none.
 */
export async function deleteService(
  store: Store,
  accountId: string,
  uuid: string,
  now: number,
  check: Check<Service> = unchecked,
): Promise<boolean> {
  const removed = await changeAsRead(store, accountId, uuid, async (row) => {
    check(serviceOf(row))
    const change = { before: openDocument(store.secrets, row), after: null }
    const acceptance = await acceptanceOf(row, change, now)
    const { version } = row
    return await store.transact('removeService', 'durable', {
      accountId,
      uuid,
      version,
      acceptance,
    })
  })
  return removed !== null
}

/** The stored PBX document; null: no such service, or it has none. */
export async function getPbxDocument(
  store: Store,
  accountId: string,
  uuid: string,
): Promise<PbxDocument | null> {
  const row = await findRow(store.read, accountId, uuid)
  return row === null ? null : openDocument(store.secrets, row)
}

/**
 * Stores what `change` makes of the stored document (null: none yet), with the webhooks of its Webhook objects, and
 * accepts the events of the users that differ, all or nothing; what it throws leaves all as it was. It is called again where somebody else was faster. False: the
 * account has no such service.
 */
export async function changePbxDocument(
  store: Store,
  accountId: string,
  uuid: string,
  change: (stored: PbxDocument | null) => PbxDocument,
  now: number,
): Promise<boolean> {
  const changed = await changeAsRead(store, accountId, uuid, async (row) => {
    const before = openDocument(store.secrets, row)
    const after = change(before)
    const acceptance = await acceptanceOf(row, { before, after }, now)
    const { version } = row
    const document = store.secrets.seal(JSON.stringify(after), documentOf(uuid))
    const objects = await planObjects(store, { accountId, serviceUuid: uuid, now }, after)
    const request = { accountId, uuid, version, document, acceptance, objects }
    return await whileAllSetAside(
      store,
      idsOf(objects),
      async () => await store.transact('replaceDocument', 'durable', request),
    )
  })
  return changed !== null
}

type RowWithAccount = Row & { readonly account_name: string }

/**
 * Reads the service, and has `change` write what it makes of it, again and again until nobody was faster: a document of
 * thousands of users is compared outside of the transaction, so that nobody waits for that. Null: the account has no such
 * service.
 */
async function changeAsRead(
  store: Store,
  accountId: string,
  uuid: string,
  change: (row: RowWithAccount) => Promise<boolean>,
): Promise<true | null> {
  for (;;) {
    const row = await store.read
      .selectFrom('service')
      .innerJoin('account', 'account.id', 'service.account_id')
      .selectAll('service')
      .select('account.name as account_name')
      .where('account_id', '=', accountId)
      .where('uuid', '=', uuid)
      .executeTakeFirst()
    if (row === undefined) return null
    if (await change(row)) {
      // Deliveries were made that nobody leased.
      store.ringDue()
      return true
    }
  }
}

/** As many as take a few milliseconds to write as JSON. */
const eventsPerTurn = 200

/** The events of the users that differ, written a few at a time: five thousand would hold up the event loop. */
async function acceptanceOf(
  row: RowWithAccount,
  change: Pick<DocumentChange, 'before' | 'after'>,
  now: number,
): Promise<NewAcceptance> {
  const { uuid, name, friendly_name, type } = serviceOf(row)
  const told = userEvents({
    ...change,
    account: { id: row.account_id, name: row.account_name },
    service: { uuid, name, friendly_name, type },
    version: row.version + 1,
    at: now,
  })
  const events: NewEvent[] = []
  for (const event of told) {
    events.push(newEvent(event))
    if (events.length % eventsPerTurn === 0) await nextTurn()
  }
  const none = { openCalls: null, cursor: null }
  return { accountId: row.account_id, serviceUuid: uuid, events, ...none, now }
}

type DocumentRow = Pick<Row, 'uuid' | 'pbx_document'>

function documentText(secrets: SecretBox, { uuid, pbx_document }: DocumentRow): string | null {
  return pbx_document === null ? null : secrets.open(pbx_document, documentOf(uuid))
}

function openDocument(secrets: SecretBox, row: DocumentRow): PbxDocument | null {
  const text = documentText(secrets, row)
  return text === null ? null : PbxDocument.parse(JSON.parse(text))
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
  /** JSON text, parsed by whoever runs the PBX. */
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
    pbxDocument: documentText(store.secrets, row),
  }))
}
