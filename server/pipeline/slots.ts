/**
 * Who may have a request under way. Of all slots a third is kept back, a third at most belongs to webhooks in trouble:
 * failing, slow, or with a request out for so long that it must be called slow. Where many turn slow at once and hold
 * the slots before anybody can know it, quick ones have those that were kept back: they never wait for a slot that a slow
 * one has. One slot alone cannot be shared.
 */
import type { Lease } from '#server/store/claim.ts'

export interface Slots {
  /** `wait`: not before one in trouble ends; `full`: nor may any other. */
  readonly ask: (lease: Lease) => 'go' | 'wait' | 'full'
  readonly begin: (lease: Lease) => void
  /** True: a slot of the share of those in trouble is free. */
  readonly end: (lease: Lease) => boolean
  /** Looks at the time; to be called before asking. */
  readonly noticeLate: () => void
  /** When the next request becomes slow if it is still out then; Infinity: there is none. */
  readonly nextLate: () => number
}

/** How many slots are kept back, and how many webhooks in trouble may have, of so many. */
export function sharesOf(slots: number): { readonly back: number; readonly trouble: number } {
  const back = slots > 1 ? Math.round(slots / 3) : 0
  return { back, trouble: Math.max(back, 1) }
}

/** As long as a request may be out before it is slow. */
const slowMs = 1_000

/** `now`: milliseconds. */
export function createSlots(slots: () => number, now: () => number): Slots {
  /** What is under way and since when, the oldest first. */
  const quick = new Map<Lease, number>()
  /** And of webhooks in trouble; true: because of this very request. */
  const slow = new Map<Lease, boolean>()
  /** How many such requests a webhook has. */
  const late = new Map<string, number>()

  function addLate(id: string, by: 1 | -1): void {
    const count = (late.get(id) ?? 0) + by
    if (count > 0) late.set(id, count)
    else late.delete(id)
  }

  const inTrouble = ({ webhook }: Lease) => webhook.troubled || late.has(webhook.id)

  return {
    ask(lease) {
      const most = slots()
      const { back, trouble } = sharesOf(most)
      const common = most - back
      const underWay = quick.size + slow.size
      const ofThoseKeptBack = quick.size < back && underWay < most
      if (underWay >= common && !ofThoseKeptBack) return 'full'
      if (!inTrouble(lease)) return 'go'
      return underWay < common && slow.size < trouble ? 'go' : 'wait'
    },
    begin(lease) {
      if (inTrouble(lease)) slow.set(lease, false)
      else quick.set(lease, now())
    },
    end(lease) {
      if (quick.delete(lease)) return false
      if (slow.get(lease) === true) addLate(lease.webhook.id, -1)
      return slow.delete(lease)
    },
    noticeLate() {
      const before = now() - slowMs
      for (const [lease, since] of quick) {
        if (since > before) return
        quick.delete(lease)
        slow.set(lease, true)
        addLate(lease.webhook.id, 1)
      }
    },
    nextLate() {
      for (const since of quick.values()) return since + slowMs
      return Number.POSITIVE_INFINITY
    },
  }
}
