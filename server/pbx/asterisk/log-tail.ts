import { watch } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Reads the complete records of an append-only log by cursor.
 *
 * The writer is Asterisk: it appends whole rows, may be killed in the middle of one, and knows nothing of us. An
 * administrator rotates the file by renaming it (logrotate's way), or truncates it (`copytruncate`), also while we
 * are down. The cursor names the file by inode, so that a renamed file is found again and finished first.
 *
 * Inodes are used again once a file is deleted: a new log may come to bear the number of the one that the cursor
 * knew. The cursor always stands behind a newline, so a file that has none there is another one, and is read from
 * its start; so is a file that is shorter than the cursor. What remains is a new log that happens to be longer and
 * to have a newline at that very byte: one in a few hundred, of files that were deleted unread.
 */
export interface LogCursor {
  readonly inode: string
  readonly offset: number
}

/** One record without its line end. `endOffset` is the byte behind the line end: the cursor that has read it. */
export interface LogRecord {
  readonly text: string
  readonly endOffset: number
}

/** `truncated`: the file was cut or replaced, reading began anew. `lost`: the cursor's file is gone, maybe unread. */
export type LogIncident = 'truncated' | 'lost'

export interface LogBatch {
  readonly records: readonly LogRecord[]
  /** Where to go on; the cursor given (null stays null) while there is no file. */
  readonly cursor: LogCursor | null
  /** There is more to read at once. */
  readonly more: boolean
  readonly incident: LogIncident | null
}

export interface ReadLogOptions {
  /** CSV: a newline inside double quotes belongs to the record. */
  readonly quoted?: boolean
  /** Nobody writes it any more: what stands behind the last line end is a record too. */
  readonly complete?: boolean
  /** Bytes per read, and about the size of a batch. */
  readonly chunkBytes?: number
  /** Of a longer record only so much is given (and parses as a bad row): nothing may grow memory without bound. */
  readonly maxRecordBytes?: number
}

export const newline = 0x0a
const carriageReturn = 0x0d
const quote = 0x22
const comma = 0x2c

/**
 * Reads one batch of complete records behind `cursor`; null: from the start of the file at `path`.
 * A row without its line end is not returned until it is complete, except from a rotated file that a newer one
 * has followed: nobody will ever complete it, and the parser shall say so aloud.
 * A missing file is an empty batch. Other errors of the file system are thrown.
 */
export async function readLog(
  path: string,
  cursor: LogCursor | null,
  options: ReadLogOptions = {},
): Promise<LogBatch> {
  const located = await locate(path, cursor)
  if (located === null) return { records: [], cursor, more: false, incident: null }
  const { file, newer } = located
  let { incident } = located
  await using handle = await openIfThere(file.path)
  // Renamed or deleted between the listing and the opening: the next call finds it under its new name.
  if (!handle || inodeOf(await handle.stat({ bigint: true })) !== file.inode) {
    return { records: [], cursor, more: true, incident: null }
  }
  let from = cursor?.inode === file.inode ? cursor.offset : 0
  if (from > 0 && !(await endsARecord(handle, from))) {
    from = 0
    incident = 'truncated'
  }
  const finished = newer !== null || options.complete === true
  const { records, end, atEnd } = await readRecords(handle, from, finished, options)
  if (atEnd && newer !== null) {
    return { records, cursor: { inode: newer.inode, offset: 0 }, more: true, incident }
  }
  return { records, cursor: { inode: file.inode, offset: end }, more: !atEnd, incident }
}

/** The cursor behind the last complete line: for a log whose history nobody asked for. Null: there is no file. */
export async function endOfLog(path: string): Promise<LogCursor | null> {
  await using handle = await openIfThere(path)
  if (!handle) return null
  const found = await handle.stat({ bigint: true })
  const chunk = Buffer.alloc(64 * 1024)
  for (let end = Number(found.size); end > 0; ) {
    const start = Math.max(0, end - chunk.length)
    const { bytesRead } = await handle.read(chunk, 0, end - start, start)
    const last = chunk.subarray(0, bytesRead).lastIndexOf(newline)
    if (last >= 0) return { inode: inodeOf(found), offset: start + last + 1 }
    end = start
  }
  return { inode: inodeOf(found), offset: 0 }
}

/**
 * Rings when the log may have grown, and when watching has begun. A doorbell only: notifications get lost, and some file
 * systems send none, so whoever listens reads by a timer too. Ends with the signal; a folder that cannot be watched is
 * no error.
 */
export function watchLog(path: string, onChange: () => void, signal: AbortSignal): void {
  const folder = dirname(path)
  const name = basename(path)
  // To watch is not asynchronous: a folder that hangs is to be met in the thread pool.
  void stat(folder).then(
    () => {
      if (signal.aborted) return
      try {
        const watcher = watch(folder, { signal, persistent: false }, (_event, changed) => {
          if (changed === null || changed === name) onChange()
        })
        watcher.on('error', () => watcher.close())
        onChange()
      } catch {
        // gone by now, or no watches left
      }
    },
    () => undefined, // no such folder yet
  )
}

export interface LogFile {
  readonly path: string
  readonly inode: string
  readonly size: bigint
  readonly born: bigint
  readonly changed: bigint
}

interface Located {
  readonly file: LogFile
  /** The file to read after this one; null for the current file. */
  readonly newer: LogFile | null
  readonly incident: LogIncident | null
}

/** The file that the cursor stands in, and its successor. The listing precedes the reading: see `readRecords`. */
async function locate(path: string, cursor: LogCursor | null): Promise<Located | null> {
  const current = await logFile(path)
  if (cursor === null || current?.inode === cursor.inode) {
    return current && { file: current, newer: null, incident: null }
  }
  const rotated = await rotatedFiles(path)
  const mine = rotated.find((file) => file.inode === cursor.inode)
  if (!mine) {
    // Deleted or compressed away. Its siblings may or may not have been read before, nobody knows; the rows of the
    // current file certainly were not.
    return current && { file: current, newer: null, incident: 'lost' }
  }
  // A copy made by copytruncate is younger than the current file and holds nothing new: it is never a successor.
  const followers = rotated
    .filter((file) => isOlder(mine, file) && (current === null || isOlder(file, current)))
    .sort((a, b) => (isOlder(a, b) ? -1 : 1))
  // logrotate makes the new file (`create`) before Asterisk lets go of the old one (`logger reload`): only a file
  // with something in it says that the writer has moved on.
  const newer = [...followers, current].find((file) => file !== null && file.size > 0n) ?? null
  return { file: mine, newer, incident: null }
}

/** Siblings such as `cel.csv.1` or `cel.csv-20261122`; compressed ones cannot be read by offset. */
export async function rotatedFiles(path: string): Promise<LogFile[]> {
  const folder = dirname(path)
  const name = basename(path)
  const names = await readdir(folder).catch(() => [])
  const siblings = names.filter(
    (n) => n !== name && n.startsWith(name) && !/\.(gz|xz|bz2|zst|lz4)$/.test(n),
  )
  const files = await Promise.all(siblings.map((n) => logFile(join(folder, n))))
  return files.filter((file) => file !== null)
}

async function logFile(path: string): Promise<LogFile | null> {
  try {
    const found = await stat(path, { bigint: true })
    if (!found.isFile()) return null
    const { size, birthtimeNs: born, mtimeNs: changed } = found
    return { path, inode: inodeOf(found), size, born, changed }
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/**
 * The order in which the files were current. Each was created after the one before it was renamed, and was last
 * written before the next one; where the clock's tick hides that, logrotate's suffix tells: .2 is older than .1,
 * a date or time stamp is older when it is smaller.
 */
export function isOlder(a: LogFile, b: LogFile): boolean {
  if (a.born !== b.born) return a.born < b.born
  if (a.changed !== b.changed) return a.changed < b.changed
  const [first, second] = [suffixNumber(a.path), suffixNumber(b.path)]
  if (first === null || second === null) return first !== null
  const counted = first < 10_000 && second < 10_000
  return counted ? first > second : first < second
}

/** Null for the current file, which has no suffix. */
function suffixNumber(path: string): number | null {
  const digits = /(\d+)$/.exec(path)?.[1]
  return digits === undefined ? null : Number(digits)
}

export const inodeOf = (found: { readonly ino: bigint }): string => found.ino.toString()

const isMissing = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'ENOENT' ||
  (error as NodeJS.ErrnoException).code === 'ENOTDIR'

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function endsARecord(handle: FileHandle, offset: number): Promise<boolean> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset - 1)
  return bytesRead === 1 && buffer[0] === newline
}

/**
 * Reads on from `from` until a chunk has given records, or the file ends.
 * `finished`: the writer had moved on to a newer file before this reading began, so the end of this one is final.
 */
async function readRecords(
  handle: FileHandle,
  from: number,
  finished: boolean,
  options: ReadLogOptions,
): Promise<{ records: LogRecord[]; end: number; atEnd: boolean }> {
  const { chunkBytes, maxRecordBytes } = limitsOf(options)
  let held: Buffer = Buffer.alloc(0)
  for (;;) {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, from + held.length)
    const atEnd = bytesRead < chunkBytes // a regular file gives less only at its end
    held = Buffer.concat([held, chunk.subarray(0, bytesRead)])
    const records = cutRecords(held, from, options.quoted ?? false)
    const end = records.at(-1)?.endOffset ?? from
    if (records.length > 0) return { records, end, atEnd: atEnd && end === from + held.length }
    if (held.length > maxRecordBytes) return monster(handle, held, from, options)
    if (atEnd && finished && held.length > 0) {
      const last = from + held.length
      return { records: [{ text: textOf(held), endOffset: last }], end: last, atEnd }
    }
    if (atEnd) return { records, end, atEnd }
  }
}

/** The beginning of a record that is too long to hold, once it has its end. */
async function monster(handle: FileHandle, held: Buffer, from: number, options: ReadLogOptions) {
  const limits = limitsOf(options)
  const end = await behindNextNewline(handle, from + held.length, limits.chunkBytes)
  if (end === null) return { records: [], end: from, atEnd: true }
  const text = textOf(held.subarray(0, limits.maxRecordBytes))
  return { records: [{ text, endOffset: end }], end, atEnd: false }
}

const limitsOf = (options: ReadLogOptions) => ({
  chunkBytes: options.chunkBytes ?? 1024 * 1024,
  maxRecordBytes: options.maxRecordBytes ?? 256 * 1024,
})

/** Null: there is none yet. */
async function behindNextNewline(
  handle: FileHandle,
  from: number,
  chunkBytes: number,
): Promise<number | null> {
  const chunk = Buffer.allocUnsafe(chunkBytes)
  for (let at = from; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, at)
    if (bytesRead === 0) return null
    const found = chunk.subarray(0, bytesRead).indexOf(newline)
    if (found >= 0) return at + found + 1
    at += bytesRead
  }
}

/** The complete records in `bytes`, which begin at the offset `from` of the file. */
export function cutRecords(bytes: Buffer, from: number, quoted: boolean): LogRecord[] {
  const records: LogRecord[] = []
  let start = 0
  for (;;) {
    const lineEnd = quoted ? quotedLineEnd(bytes, start) : bytes.indexOf(newline, start)
    if (lineEnd < 0) return records
    records.push({
      text: textOf(bytes.subarray(start, lineEnd)),
      endOffset: from + lineEnd + 1,
    })
    start = lineEnd + 1
  }
}

/**
 * The index of the newline that ends the CSV record at `start`, or -1.
 *
 * Inside quotes every quote is doubled, so a newline followed by a quote and then neither a quote, a comma nor a
 * line end cannot be part of a value: it is the start of the next row, after a row whose writer died (or whose disk
 * was full) with a quote open. Without this one such row would swallow the rest of the file.
 */
function quotedLineEnd(bytes: Buffer, start: number): number {
  let inQuotes = false
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === quote) inQuotes = !inQuotes
    if (byte === newline && (!inQuotes || startsARow(bytes, i + 1))) return i
  }
  return -1
}

function startsARow(bytes: Buffer, at: number): boolean {
  const second = bytes[at + 1]
  return (
    bytes[at] === quote &&
    second !== undefined &&
    second !== quote &&
    second !== comma &&
    second !== newline &&
    second !== carriageReturn
  )
}

function textOf(bytes: Buffer): string {
  const end = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length
  return bytes.toString('utf8', 0, end)
}
