import type { PbxRow, QueueLogRow } from '#server/domain/calls/rows.ts'
import { type Parsed, parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { type FollowedLog, followLog } from '#server/pbx/asterisk/followed-log.ts'
import type { ReadTo } from '#server/pbx/asterisk/log-rotation.ts'
import {
  endOfLog,
  type LogBatch,
  type LogCursor,
  readLog,
  watchLog,
} from '#server/pbx/asterisk/log-tail.ts'
import { parseQueueLogRow } from '#server/pbx/asterisk/queue-log-row.ts'
import type { PbxRecord, RecordBatch, RecordRemark } from '#server/pbx/pbx.ts'

export interface AsteriskRecordOptions {
  readonly celPath: string
  readonly queueLogPath: string | null
  /** Where to begin on the very first start: an attached PBX has years of history that nobody asked for. */
  readonly beginAt: 'start' | 'end'
  /** Keeps the files from growing for ever; null: whoever runs the PBX sees to that. */
  readonly rotate: ((read: ReadTo, now: number) => Promise<void>) | null
}

/** What the cursor of the record is made of. */
interface Position {
  /** Where the files were that the two cursors are of. */
  readonly paths: { readonly cel: string; readonly queueLog: string | null }
  readonly cel: LogCursor | null
  readonly queueLog: LogCursor | null
  /** Time of the last queue_log row that was read, epoch ms. */
  readonly queueLogReadTo: number
}

interface Logs {
  readonly cel: FollowedLog
  readonly queueLog: FollowedLog | null
}

interface Rows<Row> {
  readonly rows: readonly Row[]
  readonly cursor: LogCursor | null
  readonly more: boolean
  readonly remarks: readonly RecordRemark[]
}

/** About 900 rows, which keep the event loop busy for 20 to 50 ms: a backlog must not hold up deliveries. */
const chunkBytes = 256 * 1024

/** Of a batch. A file that is no record at all would give one for each of its lines, and fill the log. */
const mostRemarks = 20

/** The two files that Asterisk writes of its calls, as one record: CEL, and queue_log in step with it. */
export function asteriskRecord(options: AsteriskRecordOptions): PbxRecord {
  const { celPath, queueLogPath, rotate } = options
  const logs = {
    cel: followLog(celPath, { quoted: true, chunkBytes }),
    queueLog: queueLogPath === null ? null : followLog(queueLogPath, { chunkBytes }),
  }
  return {
    keepsRows: true,
    resume: async (stored) => {
      const position =
        stored === null || stored === ''
          ? await first(options)
          : await goOn(options, positionOf(stored))
      return JSON.stringify(position)
    },
    read: async (cursor) => await readBatch(options, logs, positionOf(cursor)),
    watch: (onGrowth, signal) => watchLog(celPath, onGrowth, signal),
    tidy: async (cursor, now) => await rotate?.(positionOf(cursor), now),
    close() {
      logs.cel.close()
      logs.queueLog?.close()
    },
  }
}

const positionOf = (cursor: string) => JSON.parse(cursor) as Position

const pathsOf = ({ celPath, queueLogPath }: AsteriskRecordOptions) => ({
  cel: celPath,
  queueLog: queueLogPath,
})

async function first(options: AsteriskRecordOptions): Promise<Position> {
  return {
    paths: pathsOf(options),
    cel: await begin(options, options.celPath),
    queueLog: await begin(options, options.queueLogPath),
    queueLogReadTo: 0,
  }
}

async function begin(
  { beginAt }: AsteriskRecordOptions,
  path: string | null,
): Promise<LogCursor | null> {
  return path === null || beginAt === 'start' ? null : await endOfLog(path)
}

/**
 * A service may have been given other files since. One that was only moved is read on; another's history is nobody's,
 * as on the first start, and would else go out as if it had happened while we were away.
 */
async function goOn(options: AsteriskRecordOptions, stored: Position): Promise<Position> {
  const cursorIn = async (path: string | null, was: string | null, cursor: LogCursor | null) => {
    if (path === was || path === null) return cursor
    const moved = cursor !== null && (await readLog(path, cursor, { chunkBytes })).incident === null
    return moved ? cursor : await begin(options, path)
  }
  const paths = pathsOf(options)
  return {
    paths,
    cel: await cursorIn(paths.cel, stored.paths.cel, stored.cel),
    queueLog: await cursorIn(paths.queueLog, stored.paths.queueLog, stored.queueLog),
    // Another file's rows may be older: it is read once, and knows from then on.
    queueLogReadTo: paths.queueLog === stored.paths.queueLog ? stored.queueLogReadTo : 0,
  }
}

/**
 * queue_log is read after CEL, so that it holds whatever belongs to the CEL rows just read; its rows come before them,
 * so that a queue's summary at the end of a call finds its position. After days of absence it must not run ahead of
 * CEL: what waits there for calls that have not been read yet would push out of the fold's bounded memory what the
 * next of them needs. Nor may it fall behind: while it does, batches of it alone come first.
 */
async function readBatch(
  options: AsteriskRecordOptions,
  logs: Logs,
  at: Position,
): Promise<RecordBatch> {
  const cel = parsed(options.celPath, await logs.cel.read(at.cel), parseCelRow)
  const until = cel.more ? (cel.rows.at(-1)?.at ?? 0) : Number.POSITIVE_INFINITY
  const queueLog = await readQueueLog(options.queueLogPath, logs.queueLog, at, until)
  const queueLogReadTo = queueLog.rows.at(-1)?.at ?? at.queueLogReadTo
  const alone = queueLog.more && queueLogReadTo <= until
  const position = { ...at, queueLog: queueLog.cursor, queueLogReadTo }
  return alone
    ? batchOf(queueLog.rows, { ...position, cel: at.cel }, true, queueLog.remarks)
    : batchOf([...queueLog.rows, ...cel.rows], { ...position, cel: cel.cursor }, cel.more, [
        ...queueLog.remarks,
        ...cel.remarks,
      ])
}

const batchOf = (
  rows: readonly PbxRow[],
  position: Position,
  more: boolean,
  remarks: readonly RecordRemark[],
): RecordBatch => ({ rows, cursor: JSON.stringify(position), more, remarks, liveSince: null })

async function readQueueLog(
  path: string | null,
  log: FollowedLog | null,
  at: Position,
  until: number,
): Promise<Rows<QueueLogRow>> {
  if (path === null || log === null || at.queueLogReadTo > until) {
    return { rows: [], cursor: at.queueLog, more: false, remarks: [] }
  }
  return parsed(path, await log.read(at.queueLog), parseQueueLogRow)
}

function parsed<Row extends PbxRow>(
  path: string,
  { records, cursor, more, incident }: LogBatch,
  parse: (text: string) => Parsed<Row>,
): Rows<Row> {
  const rows: Row[] = []
  const remarks: RecordRemark[] = []
  let unread = 0
  if (incident !== null) {
    const message = 'the file is not the one that was read last; reading from its start'
    remarks.push({ message, facts: { path, incident } })
  }
  for (const { text, endOffset } of records) {
    const read = parse(text)
    if (read.row !== undefined) rows.push(read.row)
    if ('problem' in read && text !== '') {
      const { problem } = read
      unread += 1
      if (unread > mostRemarks) continue
      remarks.push({ message: 'row not read', facts: { path, row_ends_at: endOffset, problem } })
    }
  }
  if (unread > mostRemarks) {
    const facts = { path, not_told: unread - mostRemarks }
    remarks.push({ message: 'further rows not read; is it the right file?', facts })
  }
  return { rows, cursor, more, remarks }
}
