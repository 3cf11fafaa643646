/**
 * What the deliverer has in hand: all that is leased to this process, what of it is on its way back to the database, and
 * how much more there is room for.
 *
 * The order within a call hangs on this: while anything of a webhook is on its way back, nothing of it goes from memory.
 */
import type { Line } from '#server/pipeline/line.ts'
import { retryUntil } from '#server/pipeline/retry-until.ts'
import type { SendDeps, Sending } from '#server/pipeline/send.ts'
import type { Lease } from '#server/store/claim.ts'
import type { SetAside } from '#server/store/courier.ts'
import { returnLeases } from '#server/store/reap.ts'

export interface DeliverDeps extends SendDeps {
  /** Requests to all receivers together that may be under way. */
  readonly maxInFlight: number
  /** After how much time of nothing but failures a webhook is disabled; null: never. */
  readonly disableAfterMs: number | null
  /** How long a stop waits for requests under way; what is not over then is sent again after the next start. */
  readonly stopMs: number
  readonly log: {
    readonly info: (facts: object, message: string) => void
    readonly warn: (facts: object, message: string) => void
    readonly error: (facts: object, message: string) => void
  }
  /** Epoch milliseconds of the wall clock. */
  readonly now: () => number
}

/** Deliveries in memory beside those under way; about 3 MB of them, as events are. */
const mostAhead = 2_048
/** And no more of them than that, where events are large. */
const mostBytes = 16 * 1024 * 1024
/** Of one webhook: no more than a quick receiver takes in the time of two commits. */
const mostAheadOfOne = 256
/** For a database that answers; one that does not is somebody else's to tell. */
export const longestReturnMs = 1_000

export interface Deliverer {
  readonly deps: DeliverDeps
  readonly now: () => number
  /** All that is leased to this process and not written down, with what will have been done with it. */
  readonly leased: Map<Lease, Promise<void> | null>
  readonly line: Line
  /** Bytes of the bodies of all that is leased. */
  bytes: number
  /** Outcomes that the database does not take for now. */
  unwritten: number
  /** From when on a claim may find something, epoch milliseconds. */
  lookAt: number
  /** A claim found no room; what ends next rings. */
  full: boolean
  readonly ring: () => void
  readonly sending: Sending
  readonly signal: AbortSignal
  /** Webhooks that have leases on their way back to the database, with how many returns there are. */
  readonly returning: Map<string, number>
  /** Those returns. */
  readonly returns: Set<Promise<void>>
  /** Webhooks of which nothing may leave. */
  readonly aside: Map<string, Aside>
}

interface Aside {
  /** Whoever wants it so; `cameBack`: what was leased since and is on its way back. */
  readonly by: Set<{ readonly cameBack: Promise<void>[] }>
  /** What was leased since and stays: returned at once it would be claimed again, in turns for as long as the work lasts. */
  readonly kept: Lease[]
}

/** How many more deliveries may be leased, and how many of them for one webhook beyond its room. */
export function roomOf(deliverer: Deliverer): { limit: number; ahead: number } {
  const { deps, leased, line, bytes, unwritten } = deliverer
  if (unwritten > 0) return { limit: 0, ahead: 0 }
  const spare = bytes < mostBytes ? Math.max(0, mostAhead - line.waiting()) : 0
  // The fuller it is, the less for one: new webhooks find room too.
  const ahead = Math.min(mostAheadOfOne, Math.floor(spare / 8))
  return { limit: deps.maxInFlight + mostAhead - leased.size, ahead }
}

/** Nothing of the webhook leaves while `work` is done: what is ahead of its slots goes back before, what is leased since after. */
export async function setAside<T>(
  deliverer: Deliverer,
  webhookId: string,
  work: () => Promise<T>,
): Promise<SetAside<T>> {
  const { aside, line } = deliverer
  const mine = { cameBack: [] as Promise<void>[] }
  const all: Aside = aside.get(webhookId) ?? { by: new Set(), kept: [] }
  aside.set(webhookId, all)
  all.by.add(mine)
  try {
    // Where the database is away this takes until it is back; `work` meets the same, and says so.
    const returned = giveBack(deliverer, line.takeBack(webhookId))
    await atMost(longestReturnMs, returned)
    const result = await work()
    giveBackKept(deliverer, all)
    const cameBack = mine.cameBack.length > 0
    await atMost(longestReturnMs, Promise.all(mine.cameBack))
    return { result, cameBack }
  } finally {
    giveBackKept(deliverer, all)
    all.by.delete(mine)
    if (all.by.size === 0) aside.delete(webhookId)
  }
}

function giveBackKept(deliverer: Deliverer, { by, kept }: Aside): void {
  const leases = kept.splice(0)
  if (leases.length === 0) return
  const returned = giveBack(deliverer, leases)
  for (const { cameBack } of by) cameBack.push(returned)
}

/** At a stop: all that has not left goes back. */
export function giveBackAll(deliverer: Deliverer): void {
  for (const one of deliverer.aside.values()) giveBackKept(deliverer, one)
  void giveBack(deliverer, deliverer.line.takeBackOlder(Infinity))
}

export function hold(deliverer: Deliverer, leases: readonly Lease[]): void {
  for (const lease of leases) {
    deliverer.leased.set(lease, null)
    deliverer.bytes += Buffer.byteLength(lease.event.body)
  }
  // Leased before what is on its way back had arrived there: sent now, it would overtake earlier events of its call.
  const { aside, returning, signal } = deliverer
  const back: Lease[] = []
  const inOrder: Lease[] = []
  for (const lease of leases) {
    const { id } = lease.webhook
    // Leased while the end began: the drain has been, or will not see it.
    if (signal.aborted) back.push(lease)
    else if (aside.has(id)) aside.get(id)?.kept.push(lease)
    else if (returning.has(id)) back.push(lease)
    else inOrder.push(lease)
  }
  void giveBack(deliverer, back)
  deliverer.line.add(inOrder, deliverer.now())
}

/** The lease is not this process's any more. */
export function release(deliverer: Deliverer, lease: Lease): void {
  if (!deliverer.leased.delete(lease)) return
  deliverer.bytes -= Buffer.byteLength(lease.event.body)
  findRoom(deliverer)
}

/** There may be room again for what was claimed in vain. */
export function findRoom(deliverer: Deliverer): void {
  if (!deliverer.full) return
  deliverer.full = false
  deliverer.lookAt = 0
  deliverer.ring()
}

/**
 * Returns what was leased and not sent; until it has arrived there, nothing of its webhook goes from memory. `dueAt` puts
 * it off; null: due as it was.
 */
export async function giveBack(
  deliverer: Deliverer,
  leases: readonly Lease[],
  dueAt: number | null = null,
): Promise<void> {
  if (leases.length === 0) return
  const { deps, now, returning, returns, leased, signal } = deliverer
  const webhooks = new Set(leases.map((lease) => lease.webhook.id))
  for (const id of webhooks) returning.set(id, (returning.get(id) ?? 0) + 1)
  const facts = { deliveries: leases.length }
  const work: Promise<void> = retryUntil(
    signal,
    async () => returnLeases(deps.store, leases, now(), dueAt),
    {
      failed: (err) => deps.log.error({ ...facts, err }, 'deliver: leases cannot be returned'),
    },
  )
    // At the end: they run out, or the next start returns them.
    .catch((err: unknown) => deps.log.error({ ...facts, err }, 'deliver: leases not returned'))
    .then(() => {
      for (const id of webhooks) {
        const others = (returning.get(id) ?? 0) - 1
        if (others > 0) returning.set(id, others)
        else returning.delete(id)
      }
      returns.delete(work)
      for (const lease of leases) release(deliverer, lease)
    })
  returns.add(work)
  for (const lease of leases) leased.set(lease, work)
  await work
}

/** Waits for the work, but no longer than so many milliseconds. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const time = Promise.withResolvers<void>()
  const timer = setTimeout(time.resolve, ms)
  await Promise.race([work, time.promise])
  clearTimeout(timer)
}
