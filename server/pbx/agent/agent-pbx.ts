/**
 * A PBX on another machine, as its agent ships it: to capture it is a record and a link like any other. The fold, the
 * open calls and the cursor are here, in one transaction; the agent knows only what it was told is committed.
 *
 *   absent --connect--> catching up --a shipment with nothing behind it is committed--> up
 *   any --an agent connects--> catching up (the one before it is refused from then on)
 *   any --silent for `silentAfterMs`, or it says that it leaves--> absent
 *
 * One shipment is held at a time, until capture asks for what is behind it: asking is what says that it is committed.
 * A commit that fails (full disk, database away) is tried again by capture with the same shipment.
 */
import { randomUUID } from 'node:crypto'
import type { AgentClock, AgentRecords, AgentState } from '#contracts/agent.ts'
import { isoOf } from '#server/domain/times.ts'
import type { AttachedPbx, LinkDownReason, PbxListener, RecordBatch } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

/**
 * What becomes of a shipment. `elsewhere`: it does not go on from what is committed. `no_session`: the agent must
 * connect again. `replaced`: another agent of the service has connected since.
 */
export type Shipped =
  | { readonly is: 'committed'; readonly cursor: string }
  | { readonly is: 'elsewhere' | 'no_session' | 'replaced' | 'not_committed' }

export interface AgentPbx {
  readonly pbx: AttachedPbx
  /** A new session, and what is committed. Null: capture has not begun, or has ended. */
  readonly connect: (
    version: string,
  ) => { readonly session: string; readonly cursor: string } | null
  readonly ship: (shipment: AgentRecords) => Promise<Shipped>
  readonly state: () => AgentState
}

export interface AgentPbxOptions {
  readonly trunks: ReadonlySet<string> | null
  /** Epoch ms. */
  readonly now: () => number
  /** An agent says something every 5 s; three times nothing means that it, or the line to it, is gone. */
  readonly silentAfterMs?: number
  /** How long a shipment may wait for its commit before its agent is told to try again. */
  readonly commitWithinMs?: number
}

/** What happened this long before it is read was read late, not live; as in `pipeline/capture.ts`. */
const lateAfterMs = 5_000

interface Shipment {
  readonly records: AgentRecords
  readonly settled: PromiseWithResolvers<boolean>
}

interface Session {
  readonly id: string
  readonly version: string
  readonly connectedAt: number
  lastSeenAt: number
  caughtUp: boolean
}

interface Remote {
  readonly options: Required<AgentPbxOptions>
  readonly listeners: Set<PbxListener>
  /** What capture has committed; null before it has begun and after it has ended. */
  committed: string | null
  /** The last agent that connected, also when it has gone. */
  session: Session | null
  connected: boolean
  clock: AgentClock | null
  shipment: Shipment | null
  /** Requests of the agent that are not answered yet. */
  underWay: number
  silence: NodeJS.Timeout | null
  /** Why the link was last told to be down; null: it was not, or has been up since. */
  down: LinkDownReason | null
  grown: () => void
}

/** The PBX of an agent, whether or not that is connected. */
export function createAgentPbx(options: AgentPbxOptions): AgentPbx {
  const remote: Remote = {
    options: { silentAfterMs: 15_000, commitWithinMs: 20_000, ...options },
    listeners: new Set(),
    committed: null,
    session: null,
    connected: false,
    clock: null,
    shipment: null,
    underWay: 0,
    silence: null,
    down: null,
    grown: () => {},
  }
  return {
    pbx: {
      kind: 'attached',
      record: {
        keepsRows: false,
        resume: async (stored) => {
          remote.committed = stored ?? ''
          countSilence(remote)
          return remote.committed
        },
        read: async (cursor) => read(remote, cursor),
        watch: (onGrowth) => {
          remote.grown = onGrowth
        },
        tidy: async () => undefined,
        close: () => undefined,
      },
      link: {
        run: (on, signal) => listen(remote, on, signal),
        listChannels: async () => {
          throw new PbxError('cannot_be_asked', 'An agent tells what the PBX wrote, no more.')
        },
        close: async () => close(remote),
      },
      linkName: 'agent',
      trunks: options.trunks,
    },
    connect: (version) => connect(remote, version),
    ship: (records) => ship(remote, records),
    state: () => stateOf(remote),
  }
}

function connect(remote: Remote, version: string) {
  const { committed, options } = remote
  if (committed === null) return null
  const now = options.now()
  const id = randomUUID()
  remote.session = { id, version, connectedAt: now, lastSeenAt: now, caughtUp: false }
  remote.connected = true
  countSilence(remote)
  return { session: id, cursor: committed }
}

async function ship(remote: Remote, records: AgentRecords): Promise<Shipped> {
  remote.underWay += 1
  countSilence(remote)
  try {
    return await take(remote, records)
  } finally {
    remote.underWay -= 1
    countSilence(remote)
  }
}

async function take(remote: Remote, records: AgentRecords): Promise<Shipped> {
  const { session } = remote
  if (session === null || !remote.connected) return { is: 'no_session' }
  if (session.id !== records.session) return { is: 'replaced' }
  session.lastSeenAt = remote.options.now()
  remote.clock = records.clock ?? remote.clock
  // One is left where the line was cut: what becomes of it decides where this one must go on from.
  if (remote.shipment !== null && !(await settles(remote, remote.shipment))) {
    return { is: 'not_committed' }
  }
  if (remote.session !== session) return { is: 'replaced' }
  if (remote.committed === null) return { is: 'no_session' }
  if (records.after !== remote.committed) return { is: 'elsewhere' }
  if (!(await hand(remote, records))) return { is: 'not_committed' }
  if (remote.session === session) arrived(remote, session, records)
  return { is: 'committed', cursor: records.cursor }
}

/** Gives capture the shipment, and waits; true: it is committed. */
async function hand(remote: Remote, records: AgentRecords): Promise<boolean> {
  if (records.cursor === records.after) return true
  const shipment = { records, settled: Promise.withResolvers<boolean>() }
  remote.shipment = shipment
  remote.grown()
  return await settles(remote, shipment)
}

async function settles({ options }: Remote, { settled }: Shipment): Promise<boolean> {
  const impatient = Promise.withResolvers<false>()
  const timer = setTimeout(() => impatient.resolve(false), options.commitWithinMs)
  try {
    return await Promise.race([settled.promise, impatient.promise])
  } finally {
    clearTimeout(timer)
  }
}

function arrived(remote: Remote, session: Session, { more, leaving }: AgentRecords): void {
  if (!more && !session.caughtUp) {
    session.caughtUp = true
    remote.down = null
    for (const on of remote.listeners) on.up({ bootedAt: null })
  }
  if (leaving) lose(remote, 'closed')
}

function lose(remote: Remote, reason: LinkDownReason): void {
  remote.connected = false
  remote.down = reason
  for (const on of remote.listeners) on.down(reason)
}

/** Counts anew from now on; not while a request is under way, which is a sign of life. */
function countSilence(remote: Remote): void {
  if (remote.silence !== null) clearTimeout(remote.silence)
  remote.silence = null
  if (remote.committed === null || remote.underWay > 0) return
  remote.silence = setTimeout(() => {
    if (remote.down === null || remote.connected) lose(remote, 'no answer')
  }, remote.options.silentAfterMs)
  remote.silence.unref()
}

/** Asked with its cursor, the shipment is committed; asked with the one that it goes on from, it is what comes next. */
function read(remote: Remote, cursor: string): RecordBatch {
  remote.committed = cursor
  const { shipment, options, clock } = remote
  if (shipment?.records.cursor === cursor) {
    remote.shipment = null
    shipment.settled.resolve(true)
  } else if (shipment?.records.after === cursor) {
    const { rows, remarks } = shipment.records
    const liveSince = options.now() + (clock?.offset_ms ?? 0) - lateAfterMs
    // More: to be asked again at once, for the agent waits to hear of the commit.
    return { rows, remarks, cursor: shipment.records.cursor, more: true, liveSince }
  }
  return { rows: [], remarks: [], cursor, more: false, liveSince: null }
}

async function listen(remote: Remote, on: PbxListener, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  remote.listeners.add(on)
  if (remote.down !== null) on.down(remote.down)
  else if (remote.session?.caughtUp) on.up({ bootedAt: null })
  await ended
  remote.listeners.delete(on)
}

function close(remote: Remote): void {
  remote.committed = null
  remote.connected = false
  countSilence(remote)
  remote.shipment?.settled.resolve(false)
}

function stateOf({ session, connected, clock }: Remote): AgentState {
  return {
    connected,
    version: session?.version ?? null,
    connected_at: connected && session ? isoOf(session.connectedAt) : null,
    last_seen_at: session && isoOf(session.lastSeenAt),
    caught_up: connected && session?.caughtUp === true,
    clock,
  }
}
