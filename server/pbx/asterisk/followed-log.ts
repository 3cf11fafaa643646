/**
 * A log that is read again and again while it grows, with as little as can be between a row and its reader: the file
 * stays open, and where it is on a disk of this machine what is new (a few hundred bytes that were just written, so
 * they are in memory) is read at once, in 20 µs. Seven steps of the thread pool, each of which waits for a core twice,
 * took 1.3 to 3.5 ms on a busy machine.
 *
 * Everything out of the ordinary goes to `readLog`: another file at the path, one that was cut, a backlog, a file
 * system of the network, which may hang and must not take the event loop with it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import {
  cutRecords,
  inodeOf,
  type LogBatch,
  type LogCursor,
  newline,
  type ReadLogOptions,
  readLog,
} from '#server/pbx/asterisk/log-tail.ts'

export interface FollowedLog {
  /** As `readLog`. */
  readonly read: (cursor: LogCursor | null) => Promise<LogBatch>
  /** Lets go of the file; a later reading opens it again. */
  readonly close: () => void
}

/** More than this behind the cursor is a backlog. One buffer for all logs: what is in it is used up at once. */
const tail = Buffer.alloc(64 * 1024)

/** `f_type` of statfs(2): ext4, XFS, Btrfs, F2FS, ZFS, tmpfs, overlayfs. */
const localFileSystems = new Set([
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630,
])

/** `fileSystemOf`: the `f_type` of what a path is on, in its own time; asked once, when there is a file. */
export function followLog(
  path: string,
  options: ReadLogOptions = {},
  fileSystemOf = async (of: string): Promise<number> => (await statfs(of)).type,
): FollowedLog {
  let open: { readonly fd: number; readonly inode: string } | null = null
  /** Null: nobody knows, there was no file yet. */
  let local: boolean | null = null

  /** Not before there is a file: what is mounted may come after us, and its folder is on a disk of this machine. */
  async function findOut(): Promise<void> {
    try {
      local = localFileSystems.has(await fileSystemOf(path))
    } catch {
      // It is gone again; the next reading of one that is there asks.
    }
  }

  function close(): void {
    if (open !== null) closeSync(open.fd)
    open = null
  }

  /** Null: not as usual, so that `readLog` must look. */
  function readTail(cursor: LogCursor): LogBatch | null {
    const current = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (current === undefined || inodeOf(current) !== cursor.inode) return null
    if (Number(current.size) - cursor.offset >= tail.length) return null
    open ??= openFile(path)
    if (open?.inode !== cursor.inode) return null
    // From the newline on that the cursor stands behind: without it, it is another file.
    const before = cursor.offset > 0 ? 1 : 0
    const bytes = readSync(open.fd, tail, 0, tail.length, cursor.offset - before)
    if (bytes < before || bytes === tail.length || (before > 0 && tail[0] !== newline)) return null
    const records = cutRecords(tail.subarray(before, bytes), cursor.offset, options.quoted === true)
    const offset = records.at(-1)?.endOffset ?? cursor.offset
    return { records, cursor: { inode: cursor.inode, offset }, more: false, incident: null }
  }

  return {
    close,
    async read(cursor) {
      if (local === true && cursor !== null) {
        try {
          const found = readTail(cursor)
          if (found !== null) return found
        } catch {
          // `readLog` will meet it too, and say what it is.
        }
      }
      close()
      const batch = await readLog(path, cursor, options)
      // Where there is no file it is the cursor given.
      if (local === null && batch.cursor !== cursor) await findOut()
      return batch
    },
  }
}

/** Null: it is not there, or not what can be read. */
function openFile(path: string): { readonly fd: number; readonly inode: string } | null {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const found = fstatSync(fd, { bigint: true })
  if (found.isFile()) return { fd, inode: inodeOf(found) }
  closeSync(fd)
  return null
}
