import { createHash } from 'node:crypto'
import { ProblemError } from '#server/http/problem-error.ts'

/** What the first request with a key came to. The body is the JSON text of its reply. */
export interface StoredReply {
  readonly status: number
  readonly body: string
}

/** Where the replies to creations are remembered, so that a repetition has no second effect. */
export interface IdempotencyKeys {
  /**
   * Claims the key for a request, told by its fingerprint. `claimed`: go ahead, then `finish` or `release`.
   * `under_way`: the first request has not ended. `other_request`: the key belongs to another fingerprint.
   */
  claim(
    accountId: string,
    key: string,
    fingerprint: string,
  ): Promise<'claimed' | 'under_way' | 'other_request' | StoredReply>
  finish(accountId: string, key: string, reply: StoredReply): Promise<void>
  /** The request failed and changed nothing: the key may be used again. */
  release(accountId: string, key: string): Promise<void>
}

/** What makes two requests the same: the address and the body as it was parsed. */
export function fingerprintOf(route: string, body: unknown): string {
  return createHash('sha256')
    .update(`${route}\n${JSON.stringify(body)}`)
    .digest('base64url')
}

/**
 * Runs `work` once per (account, key). A repetition gets the reply of the first run; while that is under way, or
 * when the repetition is another request, it gets a problem.
 */
export async function runOnce(
  keys: IdempotencyKeys,
  accountId: string,
  key: string,
  fingerprint: string,
  work: () => Promise<StoredReply>,
): Promise<StoredReply & { readonly repeated: boolean }> {
  const claim = await keys.claim(accountId, key, fingerprint)
  if (claim === 'under_way') throw new ProblemError('idempotency_in_progress')
  if (claim === 'other_request') throw new ProblemError('idempotency_key_reused')
  if (claim !== 'claimed') return { ...claim, repeated: true }
  let reply: StoredReply
  try {
    reply = await work()
  } catch (error) {
    await keys.release(accountId, key)
    throw error
  }
  await keys.finish(accountId, key, reply)
  return { ...reply, repeated: false }
}
