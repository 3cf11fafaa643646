/** A new signing secret, while receivers still verify with the one before. */
import { randomBytes } from 'node:crypto'
import type { RotatedWebhook, SecretRotation } from '#contracts/webhook/rotation.ts'
import { newSecret } from '#server/domain/sign.ts'
import { touchMatching } from '#server/store/accounts.ts'
import { whileSetAside } from '#server/store/courier.ts'
import { openSecrets, sealedSecrets } from '#server/store/signing-secrets.ts'
import { nothingMore, type Store, type Within } from '#server/store/store.ts'
import { webhookOf } from '#server/store/webhook-row.ts'
import { lockRow, secretBytes } from '#server/store/webhooks.ts'

/**
 * The current secret becomes the previous one for the time of the overlap; one that was the previous already is gone at
 * once, so that there are never more than two signatures. Null: the account has no such webhook; `same`: the secret that
 * is asked for is the current one.
 */
export async function rotateSecret(
  store: Store,
  accountId: string,
  id: string,
  { secret = newSecret(randomBytes(secretBytes)), overlap_seconds }: SecretRotation,
  now: number,
  within: Within<RotatedWebhook> = nothingMore,
): Promise<RotatedWebhook | 'same' | null> {
  const { result } = await whileSetAside(store, id, async () =>
    store.write.transaction().execute(async (trx) => {
      const row = await lockRow(trx, accountId, id)
      if (row === null) return null
      const [current] = openSecrets(store.secrets, id, row.secrets)
      if (current === undefined) throw new Error(`The webhook ${id} has no signing secret.`)
      if (current === secret) return 'same' as const
      const columns =
        overlap_seconds > 0
          ? {
              secrets: sealedSecrets(store.secrets, id, [secret, current]),
              previous_secret_until: now + overlap_seconds * 1_000,
            }
          : {
              secrets: sealedSecrets(store.secrets, id, [secret]),
              previous_secret_until: null,
            }
      const changed = { ...columns, updated_at: now }
      await trx.updateTable('webhook').set(changed).where('id', '=', id).execute()
      await touchMatching(trx, accountId)
      const rotated = { ...webhookOf(store.secrets, { ...row, ...changed }), secret }
      await within(trx, rotated)
      return rotated
    }),
  )
  store.ringDue()
  return result
}
