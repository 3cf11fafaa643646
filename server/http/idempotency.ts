import { createHash } from 'node:crypto'
import { ProblemError } from '#server/http/problem-error.ts'
import type { idempotencyKeysIn } from '#server/store/idempotency-keys.ts'
import type { Db } from '#server/store/store.ts'

/** What the first request with a key came to. The body is the JSON text of its reply. */
export interface StoredReply {
  readonly status: number
  readonly body: string
}

/** Where the replies to creations are remembered, so that a repetition has no second effect. */
export type IdempotencyKeys = ReturnType<typeof idempotencyKeysIn>

/** What makes two requests the same: the address and the body as it was parsed. */
export function fingerprintOf(route: string, body: unknown): string {
  return createHash('sha256')
    .update(`${route}\n${JSON.stringify(body)}`)
    .digest('base64url')
}

/**
 * Runs `work` once per (account, key). A repetition gets the reply of the first run; while that is under way, or
 * when the repetition is another request, it gets a problem. `work` passes its reply to `remember` within the
 * transaction that has the effect, so that no crash can come between the two.
 */
export async function runOnce(
  keys: IdempotencyKeys,
  accountId: string,
  key: string,
  fingerprint: string,
  work: (remember: (trx: Db, reply: StoredReply) => Promise<void>) => Promise<StoredReply>,
): Promise<StoredReply & { readonly repeated: boolean }> {
  const claimed = await keys.claim(accountId, key, fingerprint)
  if (claimed === 'under_way') throw new ProblemError('idempotency_in_progress')
  if (claimed === 'other_request') throw new ProblemError('idempotency_key_reused')
  if (!('claim' in claimed)) return { ...claimed, repeated: true }
  const { claim } = claimed
  try {
    const reply = await work(async (trx, made) => await keys.remember(trx, claim, made))
    return { ...reply, repeated: false }
  } catch (error) {
    await keys.release(claim)
    throw error
  }
}
