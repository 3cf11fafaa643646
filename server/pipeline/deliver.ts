/**
 * The deliverer: claims what is due, sends it, writes down what came of it.
 *
 *   accept (leased at once) ──┬──> line (memory) ──> attempt (one HTTP request each, side by side) ──> finish (shared
 *   claim (what waited) ───────┘                       └── over: the next of its lane goes                    commit)
 *     ^
 *     └── woken by: a delivery or a lane that is due, the next due time, a second passed
 *
 * While no other process has anything of a quick webhook leased, it has more leased than slots (`pace.ts`): the next
 * request goes as soon as one is over, and not after a commit and a claim.
 *
 * What happens when: kill -9: the leases are returned at the next start, and the same `webhook-id` goes out again.
 * Disk full, database away: outcomes wait and are written when it takes them; until then no further request begins,
 * since what cannot be written down goes out again after a kill. A slow receiver: takes the slots of its own lane only.
 * Many failing or slow receivers: share a third of all slots, and another is kept back for the others (`slots.ts`). A webhook that
 * is disabled, changed or deleted: what is ahead of its slots goes back before (`setAside`); by another process: it goes
 * out within two seconds, or back. Clock set back or ahead: see
 * `steady-clock.ts`, and over a restart `store/last-time.ts`.
 */
import { start } from '#server/pipeline/deliver-one.ts'
import {
  atMost,
  type DeliverDeps,
  type Deliverer,
  giveBack,
  giveBackAll,
  hold,
  longestReturnMs,
  roomOf,
  setAside,
} from '#server/pipeline/deliverer.ts'
import { createDoorbell, type Doorbell } from '#server/pipeline/doorbell.ts'
import { createLine } from '#server/pipeline/line.ts'
import { aborted } from '#server/pipeline/pause.ts'
import { createSending } from '#server/pipeline/send.ts'
import { sharesOf } from '#server/pipeline/slots.ts'
import { steadyClock } from '#server/pipeline/steady-clock.ts'
import { claimDue } from '#server/store/claim.ts'
import type { Courier } from '#server/store/courier.ts'
import { mendTimes, noteTime } from '#server/store/last-time.ts'
import { reapAtStart, reapLeases, returnLeases } from '#server/store/reap.ts'

/** Small enough that a claim takes a few milliseconds. */
const claimAtOnce = 256
/** The loop looks at the clock at least this often: a machine that slept, a clock that was set. */
const longestWaitMs = 1_000
const reapEveryMs = 10_000
/** Due, and yet nothing to be had: another transaction has the lane in hand, for as long as a commit takes. */
const passedOverMs = 5
/** What has waited so long in memory goes back: its webhook may have been changed or disabled since. */
const longestAheadMs = 2_000

/**
 * Runs until the signal aborts, then waits for what is under way up to `stopMs` and returns the rest: up to a second more,
 * whatever the database does. What it does not take then runs out, or is returned at the next start.
 */
export async function runDeliver(deps: DeliverDeps, signal: AbortSignal): Promise<void> {
  const doorbell = createDoorbell()
  const now = steadyClock(deps.now, () => performance.now())
  const deliverer: Deliverer = {
    deps,
    now,
    leased: new Map(),
    line: createLine(
      () => (deliverer.unwritten > 0 ? 0 : deps.maxInFlight),
      (lease) => start(deliverer, lease),
      () => performance.now(),
    ),
    bytes: 0,
    unwritten: 0,
    returning: new Map(),
    returns: new Set(),
    aside: new Map(),
    lookAt: 0,
    full: false,
    ring: doorbell.ring,
    sending: createSending(deps),
    signal,
  }
  const forget = deps.store.onDue((from) => {
    if (from >= deliverer.lookAt) return
    deliverer.lookAt = from
    doorbell.ring()
  })
  const looping = loop(deliverer, doorbell)
  // A database that hangs must not keep the stop waiting.
  await Promise.race([looping, aborted(signal)])
  forget()
  deps.store.courier = null
  await drain(deliverer, looping)
}

async function loop(deliverer: Deliverer, doorbell: Doorbell): Promise<void> {
  const { deps, now, signal } = deliverer
  let reapAt = 0
  let pollAt = 0
  while (!signal.aborted) {
    try {
      if (performance.now() >= reapAt) {
        await reap(deliverer, reapAt === 0)
        if (signal.aborted) return
        // Not before: what is leased then would be taken for what a dead process left.
        deps.store.courier ??= courierOf(deliverer)
        reapAt = performance.now() + reapEveryMs
      }
      await giveBack(deliverer, deliverer.line.takeBackOlder(now() - longestAheadMs))
      deliverer.line.pump()
      if (deliverer.lookAt <= deliverer.now() || performance.now() >= pollAt) {
        await claimMore(deliverer)
        pollAt = performance.now() + longestWaitMs
      }
      const waitMs = deliverer.full ? longestWaitMs : deliverer.lookAt - deliverer.now()
      const pumpMs = deliverer.line.pumpAt() - performance.now()
      if (waitMs > 0) await doorbell.wait(Math.min(waitMs, longestWaitMs, pumpMs), signal)
    } catch (error) {
      deps.log.error({ err: error }, 'deliver: the database refused, trying again')
      deliverer.lookAt = 0
      await doorbell.wait(longestWaitMs, signal)
    }
  }
}

async function reap({ deps, now, leased }: Deliverer, first: boolean): Promise<void> {
  const back = first ? await mendTimes(deps.store, now()) : 0
  if (back > 0)
    deps.log.warn({ ms: back }, 'deliver: the clock was set back, what waits is due earlier')
  await noteTime(deps.store, now())
  const returned = first
    ? await reapAtStart(deps.store, now())
    : await reapLeases(deps.store, [...leased.keys()], now())
  if (returned > 0)
    deps.log.warn({ deliveries: returned }, 'deliver: leases without a process returned')
}

function courierOf(deliverer: Deliverer): Courier {
  return {
    room: () => roomOf(deliverer),
    take(leases) {
      hold(deliverer, leases)
    },
    setAside: async (webhookId, work) => await setAside(deliverer, webhookId, work),
  }
}

async function claimMore(deliverer: Deliverer): Promise<void> {
  const { deps, now, leased } = deliverer
  const { limit, ahead } = roomOf(deliverer)
  deliverer.full = limit <= 0
  if (deliverer.full) return
  // What is claimed while earlier events are on their way back goes back too: two such returns, each claimed again while
  // the other is under way, chased each other for ever.
  await Promise.all(deliverer.returns)
  deliverer.lookAt = Number.POSITIVE_INFINITY
  const troubled = [...leased.keys()].filter((lease) => lease.webhook.troubled).length
  const { leases, nextDue } = await claimDue(deps.store, {
    now: now(),
    limit: Math.min(limit, claimAtOnce),
    troubledLimit: Math.max(0, sharesOf(deps.maxInFlight).trouble - troubled),
    ahead,
  })
  if (nextDue !== null) {
    const least = leases.length === 0 ? now() + passedOverMs : 0
    deliverer.lookAt = Math.min(deliverer.lookAt, Math.max(nextDue, least))
  }
  hold(deliverer, leases)
}

async function drain(deliverer: Deliverer, looping: Promise<void>): Promise<void> {
  const { deps, leased, returns } = deliverer
  giveBackAll(deliverer)
  await atMost(deps.stopMs, Promise.allSettled([looping, ...leased.values()]))
  let written = false
  const last = lastWrites(deliverer, looping).then(() => {
    written = true
  })
  await atMost(longestReturnMs, last)
  if (written) return
  const facts = { deliveries: leased.size, returns: returns.size }
  deps.log.error(facts, 'deliver: the database did not answer before the stop was over')
}

/** Never rejects. */
async function lastWrites(deliverer: Deliverer, looping: Promise<void>): Promise<void> {
  const { deps, now, leased, returns } = deliverer
  const goesBack = [...leased].filter(([, work]) => work === null || !returns.has(work))
  const left = goesBack.map(([lease]) => lease)
  if (left.length > 0) {
    deps.log.warn(
      { deliveries: left.length },
      'deliver: requests were not over, they are sent again',
    )
    await returnLeases(deps.store, left, now(), null).catch((error: unknown) => {
      deps.log.error({ err: error, deliveries: left.length }, 'deliver: leases not returned')
    })
  }
  await looping
  await Promise.all(returns)
  await noteTime(deps.store, now()).catch((error: unknown) => {
    deps.log.warn({ err: error }, 'deliver: the time of the stop was not noted')
  })
}
