import type { Db, Store } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

/** The reply to a creation, kept so that a repetition with the same key has no second effect. */
interface StoredReply {
  readonly status: number
  /** JSON text. */
  readonly body: string
}

/** What a request holds that was first with its key. `at`: epoch ms. */
export interface Claim {
  readonly accountId: string
  readonly key: string
  readonly at: number
}

type ClaimedKey = { readonly claim: Claim } | 'under_way' | 'other_request' | StoredReply

/** Creations are repeated within minutes; a day is what clients expect of such keys. */
const keptMs = 24 * 3_600_000
/** A request is over long before: what is still under way then was cut off by a crash. */
const abandonedMs = 60_000

/** Replies hold secrets that are shown once; they are sealed like all others. */
const replyOf = (accountId: string, key: string) => `reply ${accountId} ${key}`

/** Where the API keeps the replies of creations with an `Idempotency-Key`. `now` gives epoch milliseconds. */
export function idempotencyKeysIn(store: Store, now: () => number = Date.now) {
  return {
    /**
     * Claims the key for a request, told by its fingerprint. A claim: go ahead, then `remember` or `release`.
     * `under_way`: the first request has not ended. `other_request`: the key belongs to another fingerprint.
     */
    async claim(accountId: string, key: string, fingerprint: string): Promise<ClaimedKey> {
      return await store.write.transaction().execute(async (trx) => {
        await trx
          .deleteFrom('idempotency_key')
          .where('account_id', '=', accountId)
          .where('key', '=', key)
          .where((e) =>
            e.or([
              e('created_at', '<', now() - keptMs),
              e.and([e('status', 'is', null), e('created_at', '<', now() - abandonedMs)]),
            ]),
          )
          .execute()
        const at = now()
        const created = await trx
          .insertInto('idempotency_key')
          .values({ account_id: accountId, key, fingerprint, created_at: at })
          .onConflict((c) => c.columns(['account_id', 'key']).doNothing())
          .returning('key')
          .executeTakeFirst()
        if (created !== undefined) return { claim: { accountId, key, at } }
        const known = await trx
          .selectFrom('idempotency_key')
          .select(['fingerprint', 'status', 'body'])
          .where('account_id', '=', accountId)
          .where('key', '=', key)
          .executeTakeFirst()
        // Released in between (PostgreSQL): its request has just failed, and this one may be sent again.
        if (known === undefined) return 'under_way'
        if (known.fingerprint !== fingerprint) return 'other_request'
        if (known.status === null || known.body === null) return 'under_way'
        const body = store.secrets.open(known.body, replyOf(accountId, key))
        return { status: known.status, body }
      })
    },

    /**
     * Keeps the reply, in the transaction that creates what it tells of: after a crash there are both or neither.
     * Throws StoreError `claim_lost` when another request has the key since; nothing must then be created.
     */
    async remember(trx: Db, { accountId, key, at }: Claim, reply: StoredReply): Promise<void> {
      const done = await trx
        .updateTable('idempotency_key')
        .set({
          status: reply.status,
          body: store.secrets.seal(reply.body, replyOf(accountId, key)),
        })
        .where('account_id', '=', accountId)
        .where('key', '=', key)
        .where('created_at', '=', at)
        .where('status', 'is', null)
        .executeTakeFirst()
      if (done.numUpdatedRows !== 1n)
        throw new StoreError(
          'claim_lost',
          'Another request with this Idempotency-Key is under way.',
        )
    },

    /** The request failed and changed nothing: the key may be used again. */
    async release({ accountId, key, at }: Claim): Promise<void> {
      await store.write
        .deleteFrom('idempotency_key')
        .where('account_id', '=', accountId)
        .where('key', '=', key)
        .where('created_at', '=', at)
        .where('status', 'is', null)
        .execute()
    },
  }
}

/** Removes replies that nobody will ask for again; at most `limit` of them. Returns how many. */
export async function pruneIdempotencyKeys(
  store: Store,
  now: number,
  limit: number,
): Promise<number> {
  const old = store.write
    .selectFrom('idempotency_key')
    .select(['account_id', 'key'])
    .where('created_at', '<', now - keptMs)
    .limit(limit)
  const done = await store.write
    .deleteFrom('idempotency_key')
    .where((e) => e(e.refTuple('account_id', 'key'), 'in', old.$asTuple('account_id', 'key')))
    .executeTakeFirst()
  return Number(done.numDeletedRows)
}
