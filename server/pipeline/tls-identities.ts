import { LRUCache } from 'lru-cache'
import type { TlsIdentity } from '#server/outbound/tls-identity.ts'
import type { ClaimedWebhook } from '#server/store/claim.ts'
import type { Store } from '#server/store/store.ts'
import { readTlsIdentity } from '#server/store/tls-identities.ts'

/** As many as there may be busy webhooks with one; the rest are read again when they fire. */
const identitiesKept = 10_000

/** One object per version, so that attempts of one webhook share connections, and a new certificate has new ones. */
export interface TlsIdentities {
  readonly of: (webhook: ClaimedWebhook, version: string) => Promise<TlsIdentity>
}

export function createTlsIdentities(store: Store): TlsIdentities {
  const known = new LRUCache<string, Promise<TlsIdentity>>({ max: identitiesKept })
  return {
    of({ id }, version) {
      const identity = known.get(version)
      if (identity !== undefined) return identity
      const read = readTlsIdentity(store, id)
      known.set(version, read)
      read.catch(() => known.delete(version))
      return read
    },
  }
}
