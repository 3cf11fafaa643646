/** Reading, folding and committing: one batch of capture after the other. */
import type { Event } from '#contracts/events/catalogue.ts'
import type { Fact } from '#server/domain/calls/facts.ts'
import { type Folded, foldRows } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { loadCalls, type OpenCalls, saveCalls } from '#server/domain/calls/state.ts'
import { describe } from '#server/domain/events/describe.ts'
import type { Directory } from '#server/domain/events/directory.ts'
import type { PbxLink, PbxRecord, RecordBatch } from '#server/pbx/pbx.ts'

/** What one commit of capture holds: all of it or nothing. */
export interface CaptureBatch {
  readonly events: readonly Event[]
  readonly openCalls: {
    readonly put: readonly { readonly key: string; readonly json: string }[]
    readonly delete: readonly string[]
  }
  readonly cursor: string
}

export interface CaptureDeps {
  readonly record: PbxRecord
  /** Endpoints of the lines to carriers; null: guessed. */
  readonly trunks: () => ReadonlySet<string> | null
  readonly directory: () => Directory
  /** Null: files alone. Its absence delays nothing. */
  readonly link: PbxLink | null
  readonly load: () => Promise<{
    readonly cursor: string | null
    readonly openCalls: readonly string[]
  }>
  /** Returns when the batch survives a kill of the process. */
  readonly accept: (batch: CaptureBatch) => Promise<void>
  /** Returns when what was accepted survives a power cut too. */
  readonly onDisk: () => Promise<void>
  readonly log: {
    readonly info: (facts: object, message: string) => void
    readonly warn: (facts: object, message: string) => void
  }
  readonly now: () => number
}

/** What is stored beside the open calls: everything that a restart goes on from. */
export interface CaptureCursor {
  /** How far the record was read. */
  readonly record: string
  /** The fold's state beside its calls. */
  readonly rest: string | null
  readonly link: {
    readonly up: boolean
    readonly since: number
    /** When we last were seen running: the start of the gap if we were killed. */
    readonly aliveAt: number
  } | null
}

/** The cursor of a capture that has read nothing yet and goes on behind this place of the record. */
export function firstCursor(record: string): string {
  return JSON.stringify({ record, rest: null, link: null } satisfies CaptureCursor)
}

export type LinkNews =
  | { readonly kind: 'up'; readonly at: number; readonly bootedAt: number | null }
  | { readonly kind: 'down'; readonly at: number; readonly reason: string }

export interface Capture {
  readonly deps: CaptureDeps
  calls: OpenCalls
  cursor: CaptureCursor
  /** Events told since the link went down, or since we began: what `service.link.up` counts. */
  sinceGap: number
  /** Channels that the PBX did not list at the last comparison. */
  suspects: ReadonlySet<string>
  /** What happened before was read late, not live. */
  liveSince: number
  /** Rows that were read, tell nothing and are not committed yet; null: there are none. */
  held: HeldRows | null
  /** What the link said and the loop has not handled yet; ups and downs in turn, added by `addNews`. */
  readonly news: LinkNews[]
}

/** Few, and for a short time: see `mayBeHeld`. */
interface HeldRows {
  readonly rows: readonly PbxRow[]
  /** How far the record was read with them. */
  readonly record: string
  /** By `performance.now()`. */
  readonly since: number
}

export async function resume(deps: CaptureDeps): Promise<Capture> {
  const stored = await deps.load()
  const before: Omit<CaptureCursor, 'record'> & { readonly record: string | null } =
    stored.cursor === null
      ? { record: null, rest: null, link: null }
      : (JSON.parse(stored.cursor) as CaptureCursor)
  const cursor = { ...before, record: await deps.record.resume(before.record) }
  const news: LinkNews[] = []
  if (cursor.link?.up) {
    news.push({ kind: 'down', at: cursor.link.aliveAt, reason: 'Offhook was not running' })
  }
  if (deps.link === null) news.push({ kind: 'up', at: deps.now(), bootedAt: null })
  return {
    deps,
    calls: loadCalls(stored.openCalls, cursor.rest),
    cursor,
    sinceGap: 0,
    suspects: new Set(),
    liveSince: deps.now(),
    held: null,
    news,
  }
}

/** Rows that tell nothing yet may wait for those that do; they are folded again then, which costs 30 µs a row. */
const mostHeld = 16
const longestHeldMs = 500

/**
 * Reads and commits all that is there. `mayWait`: a few rows that no event comes of are held for the next reading. Two
 * of five commits were of such rows, and the row behind them, of which an event comes, waited for each.
 *
 * They are held, not left on the PBX's disk to be read again: of an attached PBX somebody else rotates the files, and
 * may cut or compress them in that very moment. Only where we are killed in it too are they gone.
 */
export async function readAll(capture: Capture, { mayWait = false } = {}): Promise<void> {
  const { deps } = capture
  for (let more = true; more; ) {
    const { cursor: before, held } = capture
    const batch = await deps.record.read(held?.record ?? before.record)
    for (const { message, facts } of batch.remarks) deps.log.warn(facts, `capture: ${message}`)
    const { liveSince } = batch
    const rows = [...(held?.rows ?? []), ...batch.rows]
    if (rows.length > 0 || batch.cursor !== before.record) {
      const folded = foldAll(capture, rows)
      const since = held?.since ?? performance.now()
      if (mayWait && mayBeHeld(capture, { ...batch, rows }, folded, since)) {
        capture.held = { rows, record: batch.cursor, since }
        return
      }
      await write(capture, folded, { cursor: { ...before, record: batch.cursor }, liveSince })
    }
    capture.held = null
    more = batch.more
  }
  const { bootAt } = capture.calls
  if (bootAt !== null) await commit(capture, { rows: [{ kind: 'boot', at: bootAt }], late: true })
}

/** Not where something is to be logged, or done next: that is done once. */
function mayBeHeld(
  { deps }: Capture,
  { rows, remarks, more }: RecordBatch,
  folded: FoldedRows,
  since: number,
): boolean {
  return (
    // Of one that does not keep them, reading on would say that they are safe.
    deps.record.keepsRows &&
    folded.facts.length === 0 &&
    folded.state.bootAt === null &&
    !folded.passedOver &&
    remarks.length === 0 &&
    rows.length <= mostHeld &&
    !more &&
    performance.now() - since < longestHeldMs
  )
}

/** What is to be committed beside what the rows gave. */
interface Step {
  readonly events?: readonly Event[]
  readonly cursor?: CaptureCursor
  /** Found out after the fact, by a restart of the PBX or a comparison of channels. */
  readonly late?: boolean
  /** As in RecordBatch. */
  readonly liveSince?: number | null
}

/** One transaction: what the rows gave, the calls that they changed, and where reading goes on. */
export async function commit(
  capture: Capture,
  { rows = [], ...step }: Step & { readonly rows?: readonly PbxRow[] },
): Promise<void> {
  await write(capture, foldAll(capture, rows), step)
}

async function write(capture: Capture, folded: Folded, step: Step): Promise<void> {
  const { deps } = capture
  const directory = deps.directory()
  const liveSince = step.liveSince ?? capture.liveSince
  const backfilled = (fact: Fact) => step.late === true || fact.at < liveSince
  const told = folded.facts.map((fact) => describe(fact, directory, backfilled(fact)))
  const saved = saveCalls({
    ...folded.state,
    calls: new Map(
      folded.changed.flatMap((id) => {
        const call = folded.state.calls.get(id)
        return call === undefined ? [] : [[id, call] as const]
      }),
    ),
  })
  const cursor = { ...(step.cursor ?? capture.cursor), rest: saved.rest }
  await deps.accept({
    events: [...told, ...(step.events ?? [])],
    openCalls: {
      put: [...saved.calls].map(([key, json]) => ({ key, json })),
      delete: folded.closed,
    },
    cursor: JSON.stringify(cursor),
  })
  // Reading on would say that the rows are not needed any more.
  if (!deps.record.keepsRows) await deps.onDisk()
  capture.calls = folded.state
  capture.cursor = cursor
  capture.sinceGap += told.length
}

interface FoldedRows extends Folded {
  /** Rows that the fold does not survive. */
  readonly passedOver: boolean
}

function foldAll(capture: Capture, rows: readonly PbxRow[]): FoldedRows {
  const options = { trunks: capture.deps.trunks() }
  try {
    return { ...foldRows(capture.calls, rows, options), passedOver: false }
  } catch (error) {
    capture.deps.log.warn({ err: error }, 'capture: a row cannot be folded, looking for it')
    return { ...foldOneByOne(capture, rows, options), passedOver: true }
  }
}

/** A row that the fold does not survive is a fault of ours. It costs its own facts, never those of the rows after it. */
function foldOneByOne(
  capture: Capture,
  rows: readonly PbxRow[],
  options: Parameters<typeof foldRows>[2],
): Folded {
  let state = capture.calls
  const facts: Fact[] = []
  const changed = new Set<string>()
  const closed = new Set<string>()
  for (const row of rows) {
    try {
      const folded = foldRows(state, [row], options)
      state = folded.state
      facts.push(...folded.facts)
      for (const id of folded.closed) closed.add(id)
      for (const id of folded.changed) changed.add(id)
    } catch (error) {
      capture.deps.log.warn({ err: error, row }, 'capture: row passed over, please report it')
    }
  }
  return {
    state,
    facts,
    changed: [...changed].filter((id) => state.calls.has(id)),
    closed: [...closed].filter((id) => !state.calls.has(id)),
  }
}

/** Notes that we are running, so that after a kill -9 the gap is known to the half minute. */
export async function noteAlive(capture: Capture): Promise<void> {
  const { link } = capture.cursor
  if (link === null) return
  const aliveAt = capture.deps.now()
  await commit(capture, { cursor: { ...capture.cursor, link: { ...link, aliveAt } } })
}
