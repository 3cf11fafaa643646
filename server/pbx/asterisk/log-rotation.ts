import { rename, rm, stat } from 'node:fs/promises'
import type { InstanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import {
  isOlder,
  type LogCursor,
  type LogFile,
  rotatedFiles,
} from '#server/pbx/asterisk/log-tail.ts'

export interface RotationRules {
  /** A file that has grown beyond this is renamed. */
  readonly maxBytes: number
  /** Renamed files that have been read are kept this long, for people who look into the past. */
  readonly keepMs: number
  /** Of a log that nobody has to read: no more renamed files than this, however young. */
  readonly keepFiles?: number
}

/** About 30,000 calls a file; a week of them for people who look into the past. */
const recordRules: RotationRules = { maxBytes: 64 * 1024 * 1024, keepMs: 7 * 86_400_000 }
/** What Asterisk complains of; a fault that it repeats all day must not fill the disk. */
const messagesRules: RotationRules = {
  maxBytes: 16 * 1024 * 1024,
  keepMs: 7 * 86_400_000,
  keepFiles: 4,
}

/** How far the two files of the record have been read; null: not at all. */
export interface ReadTo {
  readonly cel: LogCursor | null
  readonly queueLog: LogCursor | null
}

/** An Asterisk that can be asked. */
export interface Reopening {
  /** No call is up. */
  readonly isIdle: () => Promise<boolean>
  /** Has it let go of queue_log and messages, which may have been renamed, and begin new ones. */
  readonly reopen: () => Promise<void>
}

/** So many times its limit a log may grow while a call is up. */
const busyFactor = 8

/**
 * Keeps the logs of a managed PBX from growing for ever. Asterisk opens the CEL file anew for each row, so a rename
 * loses none. queue_log and messages it keeps open, writes on under their new names, and begins new ones when it is
 * told to; what it would write in that very moment it loses (2 to 4 of 60 rows, where it was told 100 times a second).
 * Rows of queue_log come with calls, so it is told while there is none, and only a log that is far too large is not
 * waited for. Had the telling failed, or were we killed before it, the current file is missing, and it is told again.
 * `asterisk` null: it cannot be asked now, those two wait.
 */
export async function rotateLogs(
  files: Pick<InstanceFolder, 'celFile' | 'queueLogFile' | 'messagesFile'>,
  read: ReadTo,
  asterisk: Reopening | null,
  now: number,
  rules: { readonly record: RotationRules; readonly messages: RotationRules } = {
    record: recordRules,
    messages: messagesRules,
  },
): Promise<void> {
  const { celFile, queueLogFile, messagesFile } = files
  if (read.cel !== null) await rotateLog(celFile, read.cel, rules.record, now)
  if (asterisk === null) return
  const messages = { path: messagesFile, cursor: null, rules: rules.messages }
  const queueLog = { path: queueLogFile, cursor: read.queueLog, rules: rules.record }
  const open = read.queueLog === null ? [messages] : [queueLog, messages]
  const sizes = await Promise.all(open.map(({ path }) => sizeOf(path)))
  const beyond = (factor: number) =>
    open.some((log, i) => (sizes[i] ?? 0) > log.rules.maxBytes * factor)
  if (beyond(1) && !beyond(busyFactor) && !(await asterisk.isIdle())) return
  for (const { path, cursor, rules } of open) await rotateLog(path, cursor, rules, now)
  if ((await isLeft(queueLogFile)) || (await isLeft(messagesFile))) await asterisk.reopen()
}

const sizeOf = async (path: string): Promise<number> =>
  (await stat(path).catch(() => ({ size: 0 }))).size

/** It was renamed, and nobody has begun a new one. */
async function isLeft(path: string): Promise<boolean> {
  const current = await stat(path).catch(() => null)
  return current === null && (await rotatedFiles(path)).length > 0
}

/**
 * Renames a file that has grown, and removes old ones. What `cursor` has not passed yet is never removed, however old;
 * null: nobody reads it.
 */
export async function rotateLog(
  path: string,
  cursor: LogCursor | null,
  rules: RotationRules,
  now: number,
): Promise<void> {
  if ((await sizeOf(path)) > rules.maxBytes) {
    const stamp = new Date(now).toISOString().replace(/\D/g, '').slice(0, 17)
    await rename(path, `${path}.${stamp}`)
  }
  const files = await rotatedFiles(path)
  for (const file of oldOnes(files, cursor, rules, now)) await rm(file.path, { force: true })
}

function oldOnes(
  files: readonly LogFile[],
  cursor: LogCursor | null,
  { keepMs, keepFiles = Number.POSITIVE_INFINITY }: RotationRules,
  now: number,
): readonly LogFile[] {
  const reading = files.find((file) => file.inode === cursor?.inode)
  const read = files.filter((file) => reading === undefined || isOlder(file, reading))
  const newestFirst = read.toSorted((a, b) => (isOlder(a, b) ? 1 : -1))
  return newestFirst.filter(
    (file, i) => i >= keepFiles || now - Number(file.changed / 1_000_000n) > keepMs,
  )
}
