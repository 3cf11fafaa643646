import type { Lease } from '#server/store/claim.ts'
import type { Lead } from '#server/store/new-deliveries.ts'
import type { Store } from '#server/store/store.ts'

/** The deliverer of this process, as the store knows it. */
export interface Courier {
  /** How many deliveries it would take as soon as they are accepted, and how many of one webhook beyond its concurrency. */
  readonly room: () => Pick<Lead, 'limit' | 'ahead'>
  readonly take: (leases: readonly Lease[]) => void
  /**
   * Does `work` while nothing of the webhook begins to be sent, after what was leased and had not left has been returned.
   * `cameBack`: something was leased meanwhile, and returned.
   */
  readonly setAside: <T>(webhookId: string, work: () => Promise<T>) => Promise<SetAside<T>>
}

export interface SetAside<T> {
  readonly result: T
  readonly cameBack: boolean
}

/**
 * `setAside` of the deliverer, where this process has one: what changes a webhook, or what waits for it, changes it for
 * what is leased ahead of its slots too. Other processes send or return such leases within two seconds.
 */
export async function whileSetAside<T>(
  { courier }: Pick<Store, 'courier'>,
  webhookId: string,
  work: () => Promise<T>,
): Promise<SetAside<T>> {
  if (courier === null) return { result: await work(), cameBack: false }
  return await courier.setAside(webhookId, work)
}

/** The same for several at once. */
export async function whileAllSetAside<T>(
  store: Pick<Store, 'courier'>,
  webhookIds: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const [first, ...rest] = webhookIds
  if (first === undefined) return await work()
  const { result } = await whileSetAside(
    store,
    first,
    async () => await whileAllSetAside(store, rest, work),
  )
  return result
}
