/**
 * What this process has leased and not sent yet, lane by lane:
 *
 *   add ──> waiting ── its lane has a slot, its call is free, and there is one of all the slots ──> send ── ended ──> gone
 *             └── taken back: its lane fails, it has waited too long, the end ──> returned to the database
 *
 * The lanes that could send take turns. The first tries of a call go one after the other, in the order in which they
 * were added. All of it is memory: what is lost here is still leased in the database, and returned from there.
 */
import { createSlots } from '#server/pipeline/slots.ts'
import type { Lease } from '#server/store/claim.ts'

export interface Line {
  readonly add: (leases: readonly Lease[], now: number) => void
  /** The request of the lease is over: its slot and its call are free. */
  readonly ended: (lease: Lease) => void
  /** Takes back what of the webhook is still waiting; returns it. */
  readonly takeBack: (webhookId: string) => readonly Lease[]
  /** The same for everything that was added before the time. */
  readonly takeBackOlder: (than: number) => readonly Lease[]
  readonly waiting: () => number
  /** After there have become more slots, and every now and then: time makes what is under way slow. */
  readonly pump: () => void
  /** When time alone could give a slot to what waits, so that `pump` is to be called; Infinity: nothing waits for one. */
  readonly pumpAt: () => number
}

interface Waiting {
  readonly lease: Lease
  readonly since: number
}

interface Lane {
  waiting: Waiting[]
  underWay: number
  /** Whose first try is under way. */
  readonly calls: Set<string>
}

/** `send` is called at once or later, when there is a slot. `now`: milliseconds. */
export function createLine(
  most: () => number,
  send: (lease: Lease) => void,
  now: () => number,
): Line {
  const slots = createSlots(most, now)
  const lanes = new Map<string, Lane>()
  /** Those that may have something to send, in turn: who has sent goes behind the others. */
  const ready = new Set<Lane>()
  /** Those that could send, had the lanes in trouble a slot left. */
  const parked = new Set<Lane>()
  let waiting = 0

  function laneOf(id: string): Lane {
    const lane = lanes.get(id) ?? { waiting: [], underWay: 0, calls: new Set() }
    lanes.set(id, lane)
    return lane
  }

  function begin(lane: Lane, at: number, lease: Lease): void {
    lane.waiting.splice(at, 1)
    waiting -= 1
    slots.begin(lease)
    lane.underWay += 1
    if (lease.call !== null) lane.calls.add(lease.call)
    if (lane.waiting.length > 0) ready.add(lane)
    send(lease)
  }

  function pump(): void {
    slots.noticeLate()
    for (const lane of ready) {
      const at = nextOf(lane)
      const next = lane.waiting[at]
      const may = next === undefined ? null : slots.ask(next.lease)
      if (may === 'full') return
      ready.delete(lane)
      if (may === 'wait') parked.add(lane)
      if (may === 'go' && next !== undefined) begin(lane, at, next.lease)
    }
  }

  function takeFrom(id: string, which: (one: Waiting) => boolean): readonly Lease[] {
    const lane = lanes.get(id)
    const taken = lane?.waiting.filter(which) ?? []
    if (lane === undefined || taken.length === 0) return []
    lane.waiting = lane.waiting.filter((one) => !which(one))
    waiting -= taken.length
    if (lane.waiting.length === 0 && lane.underWay === 0) lanes.delete(id)
    return taken.map(({ lease }) => lease)
  }

  return {
    add(leases, now) {
      for (const lease of leases) {
        const lane = laneOf(lease.webhook.id)
        lane.waiting.push({ lease, since: now })
        ready.add(lane)
      }
      waiting += leases.length
      pump()
    },
    ended(lease) {
      const { id } = lease.webhook
      const lane = laneOf(id)
      if (slots.end(lease)) {
        for (const one of parked) ready.add(one)
        parked.clear()
      }
      lane.underWay -= 1
      if (lease.call !== null) lane.calls.delete(lease.call)
      if (lane.waiting.length > 0) ready.add(lane)
      else if (lane.underWay === 0) lanes.delete(id)
      pump()
    },
    takeBack: (webhookId) => takeFrom(webhookId, () => true),
    takeBackOlder: (than) =>
      [...lanes.keys()].flatMap((id) => takeFrom(id, ({ since }) => since < than)),
    waiting: () => waiting,
    pump,
    pumpAt: () => (ready.size > 0 ? slots.nextLate() : Number.POSITIVE_INFINITY),
  }
}

/** The first that its lane and its call let go; -1: none. */
function nextOf(lane: Lane): number {
  return lane.waiting.findIndex(
    ({ lease: { call, webhook } }) =>
      lane.underWay < webhook.concurrency && (call === null || !lane.calls.has(call)),
  )
}
