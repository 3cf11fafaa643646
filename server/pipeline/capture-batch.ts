/** Reading, folding and committing: one batch of capture after the other. */
import type { Event } from '#contracts/events/catalogue.ts'
import type { Fact } from '#server/domain/calls/facts.ts'
import { type Folded, foldRows } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { loadCalls, type OpenCalls, saveCalls } from '#server/domain/calls/state.ts'
import { describe } from '#server/domain/events/describe.ts'
import type { Directory } from '#server/domain/events/directory.ts'
import { type Parsed, parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { endOfLog, type LogBatch, type LogCursor, readLog } from '#server/pbx/asterisk/log-tail.ts'
import { parseQueueLogRow } from '#server/pbx/asterisk/queue-log-row.ts'
import type { PbxLink } from '#server/pbx/pbx.ts'

/** About 900 rows, which keep the event loop busy for 20 to 50 ms: a backlog must not hold up deliveries. */
const chunkBytes = 256 * 1024

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
  readonly celPath: string
  readonly queueLogPath: string | null
  /** Where to begin on the very first start: an attached PBX has years of history that nobody asked for. */
  readonly beginAt: 'start' | 'end'
  /** Endpoints of the lines to carriers; null: guessed. */
  readonly trunks: () => ReadonlySet<string> | null
  readonly directory: () => Directory
  /** Null: files alone. Its absence delays nothing. */
  readonly link: PbxLink | null
  readonly load: () => Promise<{
    readonly cursor: string | null
    readonly openCalls: readonly string[]
  }>
  readonly accept: (batch: CaptureBatch) => Promise<void>
  /** Keeps the record from growing for ever; null: its administrator sees to that. */
  readonly tidy: ((read: LogCursor) => Promise<void>) | null
  readonly log: {
    readonly info: (facts: object, message: string) => void
    readonly warn: (facts: object, message: string) => void
  }
  readonly now: () => number
}

/** What is stored beside the open calls: everything that a restart goes on from. */
export interface CaptureCursor {
  /** Where the files were that the two cursors are of. */
  readonly paths: { readonly cel: string; readonly queueLog: string | null }
  readonly cel: LogCursor | null
  readonly queueLog: LogCursor | null
  /** The fold's state beside its calls. */
  readonly rest: string | null
  readonly link: {
    readonly up: boolean
    readonly since: number
    /** When we last were seen running: the start of the gap if we were killed. */
    readonly aliveAt: number
  } | null
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
  /** What the link said and the loop has not handled yet. */
  readonly news: LinkNews[]
  /** Time of the last queue_log row that was committed since we began, epoch ms. */
  queueLogReadTo: number
}

export async function resume(deps: CaptureDeps): Promise<Capture> {
  const stored = await deps.load()
  const cursor =
    stored.cursor === null
      ? await firstCursor(deps)
      : await goOn(deps, JSON.parse(stored.cursor) as CaptureCursor)
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
    news,
    queueLogReadTo: 0,
  }
}

async function firstCursor(deps: CaptureDeps): Promise<CaptureCursor> {
  return {
    paths: pathsOf(deps),
    cel: await begin(deps, deps.celPath),
    queueLog: await begin(deps, deps.queueLogPath),
    rest: null,
    link: null,
  }
}

const pathsOf = ({ celPath, queueLogPath }: CaptureDeps) => ({
  cel: celPath,
  queueLog: queueLogPath,
})

async function begin({ beginAt }: CaptureDeps, path: string | null): Promise<LogCursor | null> {
  return path === null || beginAt === 'start' ? null : await endOfLog(path)
}

/**
 * A service may have been given other files since. One that was only moved is read on; another's history is nobody's,
 * as on the first start, and would else go out as if it had happened while we were away.
 */
async function goOn(deps: CaptureDeps, stored: CaptureCursor): Promise<CaptureCursor> {
  const cursorIn = async (path: string | null, was: string | null, cursor: LogCursor | null) => {
    if (path === was || path === null) return cursor
    const moved = cursor !== null && (await readLog(path, cursor, { chunkBytes })).incident === null
    return moved ? cursor : await begin(deps, path)
  }
  const paths = pathsOf(deps)
  return {
    ...stored,
    paths,
    cel: await cursorIn(paths.cel, stored.paths.cel, stored.cel),
    queueLog: await cursorIn(paths.queueLog, stored.paths.queueLog, stored.queueLog),
  }
}

/** Reads and commits all that is on disk. */
export async function readAll(capture: Capture): Promise<void> {
  const { deps } = capture
  for (let more = true; more; ) {
    const cel = await readLog(deps.celPath, capture.cursor.cel, { quoted: true, chunkBytes })
    report(capture, deps.celPath, cel)
    const celRows = parseRecords(capture, deps.celPath, cel, parseCelRow)
    // After CEL, so that it holds whatever belongs to the rows just read; folded before them, so that a queue's
    // summary at the end of a call finds its position.
    const until = cel.more ? (celRows.at(-1)?.at ?? 0) : Number.POSITIVE_INFINITY
    const queueLog = await readQueueLog(capture, until)
    const rows = [...queueLog.rows, ...celRows]
    const { cursor: before } = capture
    const cursor = { ...before, cel: cel.cursor, queueLog: queueLog.cursor }
    const progress = moved(cursor.cel, before.cel) || moved(cursor.queueLog, before.queueLog)
    if (rows.length > 0 || progress) await commit(capture, { rows, cursor })
    noteReadTo(capture, queueLog.rows)
    more = cel.more
  }
  const { bootAt } = capture.calls
  if (bootAt !== null) await commit(capture, { rows: [{ kind: 'boot', at: bootAt }], late: true })
}

function moved(now: LogCursor | null, before: LogCursor | null): boolean {
  return now?.inode !== before?.inode || now?.offset !== before?.offset
}

/**
 * Reads on in queue_log until its rows are later than `until` (epoch ms), and gives the last batch; those before it are
 * committed on the way. After days of absence it must not run ahead of CEL: what waits there for calls that have not
 * been read yet would push out of the fold's bounded memory what the next of them needs.
 */
async function readQueueLog(
  capture: Capture,
  until: number,
): Promise<{ readonly rows: readonly PbxRow[]; readonly cursor: LogCursor | null }> {
  const { queueLogPath: path } = capture.deps
  if (path === null || capture.queueLogReadTo > until) {
    return { rows: [], cursor: capture.cursor.queueLog }
  }
  for (;;) {
    const batch = await readLog(path, capture.cursor.queueLog, { chunkBytes })
    const rows = parseRecords(capture, path, batch, parseQueueLogRow)
    const readTo = rows.at(-1)?.at ?? 0
    if (!batch.more || readTo > until) return { rows, cursor: batch.cursor }
    await commit(capture, { rows, cursor: { ...capture.cursor, queueLog: batch.cursor } })
    noteReadTo(capture, rows)
  }
}

/** After the commit only: what was not committed is read again. */
function noteReadTo(capture: Capture, rows: readonly PbxRow[]): void {
  capture.queueLogReadTo = rows.at(-1)?.at ?? capture.queueLogReadTo
}

function parseRecords<Row extends PbxRow>(
  capture: Capture,
  path: string,
  batch: LogBatch,
  parse: (text: string) => Parsed<Row>,
): Row[] {
  const rows: Row[] = []
  for (const { text, endOffset } of batch.records) {
    const parsed = parse(text)
    if ('problem' in parsed && text !== '') {
      const facts = { path, row_ends_at: endOffset, problem: parsed.problem }
      capture.deps.log.warn(facts, 'capture: row not read')
    }
    if (parsed.row !== undefined) rows.push(parsed.row)
  }
  return rows
}

function report(capture: Capture, path: string, batch: LogBatch): void {
  if (batch.incident === null) return
  capture.deps.log.warn(
    { path, incident: batch.incident, was: capture.cursor.cel },
    'CEL: the file is not the one that was read last; reading from its start',
  )
}

/** One transaction: what the rows gave, the calls that they changed, and where reading goes on. */
export async function commit(
  capture: Capture,
  step: {
    readonly rows?: readonly PbxRow[]
    readonly events?: readonly Event[]
    readonly cursor?: CaptureCursor
    /** Found out after the fact, by a restart of the PBX or a comparison of channels. */
    readonly late?: boolean
  },
): Promise<void> {
  const { deps } = capture
  const folded = foldAll(capture, step.rows ?? [])
  const directory = deps.directory()
  const backfilled = (fact: Fact) => step.late === true || fact.at < capture.liveSince
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
  capture.calls = folded.state
  capture.cursor = cursor
  capture.sinceGap += told.length
}

function foldAll(capture: Capture, rows: readonly PbxRow[]): Folded {
  const options = { trunks: capture.deps.trunks() }
  try {
    return foldRows(capture.calls, rows, options)
  } catch (error) {
    capture.deps.log.warn({ err: error }, 'capture: a row cannot be folded, looking for it')
    return foldOneByOne(capture, rows, options)
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
