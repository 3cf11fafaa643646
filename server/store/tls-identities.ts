/**
 * Whom the https connections of a webhook trust and what they show: authorities of its account, a client certificate of
 * its own. Both are large and almost nobody has them, so the claim reads only versions, and the deliverer what belongs to
 * one it has not seen.
 */
import { randomBytes } from 'node:crypto'
import type { ClientCertificateDraft } from '#contracts/tls.ts'
import { touchMatching } from '#server/store/accounts.ts'
import { whileSetAside } from '#server/store/courier.ts'
import { type Check, type Store, unchecked } from '#server/store/store.ts'

export interface StoredIdentity {
  /** Certificates (PEM) of authorities to trust beside the usual ones. */
  readonly ca: readonly string[]
  readonly client: { readonly certificate: string; readonly privateKey: string } | null
}

/** As the column has it: the key is sealed. */
interface StoredClient {
  readonly certificate: string
  readonly sealedKey: string
}

/** Never the same twice: a version names its content everywhere. */
const newVersion = () => randomBytes(12).toString('base64url')

const keyOf = (webhookId: string) => `webhook ${webhookId} client key`

/** The authorities of the account (PEM); null: the usual ones only. */
export async function getAuthorities(store: Store, accountId: string): Promise<string | null> {
  const row = await store.read
    .selectFrom('account')
    .select('authorities')
    .where('id', '=', accountId)
    .executeTakeFirst()
  return row?.authorities ?? null
}

export async function putAuthorities(
  store: Store,
  accountId: string,
  certificates: string | null,
  check: Check<string | null> = unchecked,
): Promise<void> {
  await store.write.transaction().execute(async (trx) => {
    // Locks the account too.
    await touchMatching(trx, accountId)
    const present = await trx
      .selectFrom('account')
      .select('authorities')
      .where('id', '=', accountId)
      .executeTakeFirstOrThrow()
    check(present.authorities)
    await trx
      .updateTable('account')
      .set({
        authorities: certificates,
        authorities_version: certificates === null ? null : newVersion(),
      })
      .where('id', '=', accountId)
      .execute()
  })
}

/** The client certificate of a webhook (PEM); null: it has none. */
export async function getClientCertificate(
  store: Store,
  accountId: string,
  webhookId: string,
): Promise<string | null> {
  const row = await store.read
    .selectFrom('webhook')
    .select('client_certificate')
    .where('account_id', '=', accountId)
    .where('id', '=', webhookId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row === undefined || row.client_certificate === null
    ? null
    : storedClient(row.client_certificate).certificate
}

/** Null takes it away. */
export async function putClientCertificate(
  store: Store,
  accountId: string,
  webhookId: string,
  draft: ClientCertificateDraft | null,
): Promise<void> {
  const columns = {
    client_certificate: draft === null ? null : sealedClient(store, webhookId, draft),
    client_certificate_version: draft === null ? null : newVersion(),
  }
  // What is leased ahead is sent with the new one too.
  await whileSetAside(store, webhookId, async () =>
    store.write.transaction().execute(async (trx) => {
      await trx
        .updateTable('webhook')
        .set(columns)
        .where('account_id', '=', accountId)
        .where('id', '=', webhookId)
        .where('deleted_at', 'is', null)
        .execute()
      await touchMatching(trx, accountId)
    }),
  )
}

/** For the deliverer only: the key is in the clear. */
export async function readTlsIdentity(store: Store, webhookId: string): Promise<StoredIdentity> {
  const row = await store.read
    .selectFrom('webhook')
    .innerJoin('account', 'account.id', 'webhook.account_id')
    .select(['account.authorities', 'webhook.client_certificate'])
    .where('webhook.id', '=', webhookId)
    .executeTakeFirstOrThrow()
  const client = row.client_certificate === null ? null : storedClient(row.client_certificate)
  return {
    ca: row.authorities === null ? [] : [row.authorities],
    client:
      client === null
        ? null
        : {
            certificate: client.certificate,
            privateKey: store.secrets.open(client.sealedKey, keyOf(webhookId)),
          },
  }
}

function sealedClient(
  { secrets }: Pick<Store, 'secrets'>,
  webhookId: string,
  { certificate, private_key }: ClientCertificateDraft,
): string {
  const client: StoredClient = {
    certificate,
    sealedKey: secrets.seal(private_key, keyOf(webhookId)),
  }
  return JSON.stringify(client)
}

function storedClient(text: string): StoredClient {
  return JSON.parse(text) as StoredClient
}
