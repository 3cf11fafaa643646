/**
 * This process among those on the database: registers, beats, and removes the ones that are dead.
 *
 *   beat every second ──> another's beat stands still for 5 s of our own, unbroken time ──> removed:
 *                         its leases are due again, its PBXs free to be captured here (`services.ts`)
 *
 * What happens when: kill -9: the others notice within 7 s. Started again in the same data folder: at once, for the
 * folder has one process at a time. The database away or slow for all: nobody's time goes on, so nobody is taken for
 * dead when it is back. Stopped for longer than that (SIGSTOP, a machine asleep): taken for dead, registers anew. Clocks
 * that differ: no harm, but what is due is due by the clock of the node that looks, so it is told.
 *
 * On SQLite there is nobody else: it registers and is done.
 */
import { pause } from '#server/pipeline/pause.ts'
import {
  beat,
  leave,
  type NodeIdentity,
  otherNodes,
  registerNode,
  removeNode,
  type SeenNode,
} from '#server/store/nodes.ts'
import type { Store } from '#server/store/store.ts'

export interface NodeDeps {
  readonly store: Store
  readonly identity: NodeIdentity
  readonly log: {
    readonly info: (facts: object, message: string) => void
    readonly warn: (facts: object, message: string) => void
  }
  /** Epoch milliseconds of the wall clock. */
  readonly now: () => number
}

export interface RunningNode {
  /** How many others are on the database, as far as we know. */
  readonly others: () => number
  /** Stops beating and lets the others know: when nothing of this process is under way any more. */
  readonly close: () => Promise<void>
}

const beatMs = 1_000
const deadAfterMs = 5_000
/** Between two beats of ours: more, and we do not know what happened meanwhile. */
const longestGapMs = 3_000
const skewToTellMs = 2_000

interface Watched {
  readonly beat: number
  /** By the monotonic clock: since when it stands at this beat. */
  readonly since: number
}

interface Node {
  readonly deps: NodeDeps
  watched: ReadonlyMap<string, Watched>
  lastTurn: number
  readonly toldSkew: Set<string>
}

/** Registers; what an earlier process of the same data folder left is free when this returns. */
export async function openNode(deps: NodeDeps): Promise<RunningNode> {
  const { store, identity, now } = deps
  await registerNode(store, identity, now())
  for (const other of await otherNodes(store)) {
    const before = other.home === identity.home && other.host === identity.host
    if (store.facts.singleProcess || before) await bury(deps, other)
  }
  const node: Node = { deps, watched: new Map(), lastTurn: performance.now(), toldSkew: new Set() }
  const stop = new AbortController()
  const ended = store.facts.singleProcess ? Promise.resolve() : run(node, stop.signal)
  return {
    others: () => node.watched.size,
    close: async () => {
      stop.abort()
      await ended
      await leave(store, now()).catch((error: unknown) => {
        deps.log.warn({ err: error }, 'node: could not say that it stops, the others will find out')
      })
    },
  }
}

async function run(node: Node, signal: AbortSignal): Promise<void> {
  let away = false
  while (!signal.aborted) {
    try {
      await turn(node)
      if (away) node.deps.log.info({}, 'node: the database is back')
      away = false
    } catch (error) {
      if (!away) node.deps.log.warn({ err: error }, 'node: the database is away')
      away = true
      node.watched = new Map()
    }
    await pause(beatMs, signal)
  }
}

async function turn(node: Node): Promise<void> {
  const { store, identity, log, now } = node.deps
  if (!(await beat(store, now()))) {
    log.warn({}, 'node: was taken for dead, registering again')
    await registerNode(store, identity, now())
  }
  const others = await otherNodes(store)
  const at = performance.now()
  const unbroken = at - node.lastTurn <= longestGapMs
  node.lastTurn = at
  const before = unbroken ? node.watched : new Map<string, Watched>()
  node.watched = new Map(others.map((other) => [other.id, watch(before.get(other.id), other, at)]))
  for (const other of others) {
    tellSkew(node, other, before)
    if (at - (node.watched.get(other.id)?.since ?? at) >= deadAfterMs) await bury(node.deps, other)
  }
}

function watch(before: Watched | undefined, { beat: now }: SeenNode, at: number): Watched {
  return before !== undefined && before.beat === now ? before : { beat: now, since: at }
}

async function bury({ store, log, now }: NodeDeps, other: SeenNode): Promise<void> {
  const removed = await removeNode(store, other, now())
  if (removed === null) return
  const facts = { node: other.id, host: other.host, ...removed }
  log.warn(facts, 'node: another process is dead, what it had is free')
}

/** Its time is at most one beat old when its beat has just changed. */
function tellSkew(node: Node, other: SeenNode, before: ReadonlyMap<string, Watched>): void {
  const { log, now } = node.deps
  const known = before.get(other.id)
  if (known === undefined || known.beat === other.beat || node.toldSkew.has(other.id)) return
  const skewMs = other.seenAt - now()
  if (Math.abs(skewMs) <= skewToTellMs) return
  node.toldSkew.add(other.id)
  log.warn({ node: other.id, host: other.host, skew_ms: skewMs }, 'node: its clock is not ours')
}
