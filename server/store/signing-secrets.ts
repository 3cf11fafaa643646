/** The secrets that the requests of a webhook are signed with: the current one, and after a rotation for a while the one before. */
import { type RawBuilder, sql } from 'kysely'
import type { SecretBox } from '#server/store/secrets.ts'
import type { Store } from '#server/store/store.ts'

export interface SigningSecrets {
  /** The current one first; two of them at most. */
  readonly all: readonly string[]
  /** Until when all of them sign, epoch milliseconds; afterwards only the first one does. Null: there is only one. */
  readonly until: number | null
}

const secretOf = (id: string) => `webhook ${id} signing`

/** For the column `secrets`. */
export function sealedSecrets(box: SecretBox, id: string, secrets: readonly string[]): string {
  return JSON.stringify(secrets.map((secret) => box.seal(secret, secretOf(id))))
}

/** What the deliverer needs of the webhook `w` to sign: the end of the previous secret, where there is one, and all of them sealed. */
export const signingSecrets: RawBuilder<string> = sql`
  case when w.previous_secret_until is null then w.secrets
    else cast(w.previous_secret_until as text) || ' ' || w.secrets
  end`

/** In the clear: for the deliverer only. `sealed` is what `signingSecrets` selects. */
export function readSigningSecrets(
  { secrets }: { readonly secrets: SecretBox },
  webhookId: string,
  sealed: string,
): SigningSecrets {
  const begin = sealed.indexOf('[')
  const until = begin === 0 ? null : Number(sealed.slice(0, begin))
  return { all: openSecrets(secrets, webhookId, sealed.slice(begin)), until }
}

/** Those of the column `secrets` in the clear. */
export function openSecrets(box: SecretBox, webhookId: string, sealed: string): readonly string[] {
  const texts = JSON.parse(sealed) as string[]
  return texts.map((text) => box.open(text, secretOf(webhookId)))
}

/** Those that sign at this time, epoch milliseconds. */
export function secretsAt({ all, until }: SigningSecrets, at: number): readonly string[] {
  return until === null || at < until ? all : all.slice(0, 1)
}

/**
 * Removes secrets whose time is over from so many webhooks; they sign nothing any more, but a copy of the database would
 * still hold them. False: none is left.
 */
export async function forgetPreviousSecrets(
  store: Store,
  now: number,
  limit: number,
): Promise<boolean> {
  const over = await store.read
    .selectFrom('webhook')
    .select(['id', 'secrets'])
    .where('previous_secret_until', '<=', now)
    .limit(limit)
    .execute()
  for (const { id, secrets } of over) {
    const [current] = JSON.parse(secrets) as string[]
    await store.write
      .updateTable('webhook')
      .set({ secrets: JSON.stringify([current]), previous_secret_until: null })
      .where('id', '=', id)
      // Rotated again meanwhile, it is somebody else's to forget.
      .where('secrets', '=', secrets)
      .execute()
  }
  return over.length === limit
}
