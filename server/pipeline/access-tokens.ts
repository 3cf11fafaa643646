/**
 * Access tokens of receivers that want one: fetched once for all that wait for it, kept until shortly before its end,
 * dropped when the receiver refuses it. In memory only: a token is a secret, and a new one costs one request.
 */
import { LRUCache } from 'lru-cache'

export interface FetchedToken<T> {
  readonly token: T
  /** Null: nothing was said of it. */
  readonly expiresInMs: number | null
}

export interface AccessTokens<T> {
  /**
   * The token of that key. Rejects as `fetch` does; for a few seconds afterwards with the same, so that a line of
   * deliveries does not become a line of requests to a token endpoint that is down.
   */
  readonly get: (key: string, fetch: () => Promise<FetchedToken<T>>) => Promise<T>
  /** The receiver refused it; one that was fetched since stays. */
  readonly drop: (key: string, token: T) => void
}

/** As many as there may be busy webhooks with one. */
const tokensKept = 10_000
/** Of a token whose end is not known. */
const usualLifeMs = 30 * 60_000
/** A token must not end on its way. */
const spareMs = 30_000
const failureKeptMs = 5_000

interface Kept<T> {
  readonly token: Promise<T>
  /** Once it is there. */
  value: T | null
  /** By `performance.now()`; null: it is being fetched. */
  until: number | null
}

export function createAccessTokens<T>(): AccessTokens<T> {
  const kept = new LRUCache<string, Kept<T>>({ max: tokensKept })

  function fetchInto(key: string, fetch: () => Promise<FetchedToken<T>>): Promise<T> {
    const fetching = fetch()
    const entry: Kept<T> = {
      token: fetching.then(({ token }) => token),
      value: null,
      until: null,
    }
    kept.set(key, entry)
    fetching.then(
      ({ token, expiresInMs }) => {
        entry.value = token
        const life = expiresInMs ?? usualLifeMs
        // At least once for those that wait, however short its life.
        entry.until = performance.now() + Math.max(life - spareMs, Math.min(life, 1_000))
      },
      () => {
        entry.until = performance.now() + failureKeptMs
      },
    )
    return entry.token
  }

  return {
    async get(key, fetch) {
      const known = kept.get(key)
      if (known !== undefined && (known.until === null || performance.now() < known.until)) {
        return await known.token
      }
      return await fetchInto(key, fetch)
    },
    drop(key, refused) {
      if (kept.get(key)?.value === refused) kept.delete(key)
    },
  }
}
