/**
 * Whether the database takes what it is given. Two witnesses: the transactions of the hot path, of which each kind
 * tells how its last one went, and a small write of our own for when there is no traffic. One alone would not do: on a
 * full disk the log of SQLite has room for something small long after it has none for a batch of events.
 */
import type { Db, Store } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

/** A health check that comes every second from several places must not cost a commit each. */
const probeEveryMs = 1_000
/** What refused is tried again within 30 s; an older refusal is one that nobody repeated. */
const refusalMs = 60_000
/** A commit takes milliseconds, with a busy disk a second. */
const patienceMs = 3_000

export interface Writability {
  /** The same transactions, looked at. */
  readonly transact: Store['transact']
  /** Throws StoreError when the database refuses writes, or takes none for three seconds. */
  readonly check: () => Promise<void>
}

export function watchWrites(write: Db, transact: Store['transact']): Writability {
  const refusals = new Map<string, { readonly error: StoreError; readonly at: number }>()
  let probe: { readonly done: Promise<void>; readonly began: number; ended: boolean } | null = null

  function currentProbe(): Promise<void> {
    const now = performance.now()
    if (probe === null || (probe.ended && now - probe.began >= probeEveryMs)) {
      const done = writeSomething(write)
      const begun = { done, began: now, ended: false }
      const end = () => {
        begun.ended = true
      }
      done.then(end, end)
      probe = begun
    }
    return probe.done
  }

  return {
    transact: async (name, durability, request) => {
      try {
        const result = await transact(name, durability, request)
        refusals.delete(name)
        return result
      } catch (error) {
        if (error instanceof StoreError && isRefusal(error))
          refusals.set(name, { error, at: performance.now() })
        throw error
      }
    },
    check: async () => {
      const since = performance.now() - refusalMs
      for (const { error, at } of refusals.values()) if (at > since) throw error
      await within(patienceMs, currentProbe())
    },
  }
}

/** The request itself may be wrong; these are faults of the database, which the next one will meet too. */
const isRefusal = ({ code }: StoreError): boolean =>
  code === 'storage_full' || code.startsWith('database_')

async function writeSomething(write: Db): Promise<void> {
  const value = new Date().toISOString()
  await write
    .insertInto('setting')
    .values({ name: 'last_probe', value })
    .onConflict((c) => c.column('name').doUpdateSet({ value }))
    .execute()
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(new StoreError('database_busy', `The database has taken no write for ${ms} ms.`))
  }, ms)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
