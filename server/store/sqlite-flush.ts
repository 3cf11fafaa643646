/**
 * Brings what the write thread has committed to the disk, without the thread waiting for it:
 *
 *   idle ── wrote ──> flushing ── done: tells how far ──> idle, or flushing again if something was written meanwhile
 *
 * With `synchronous=normal` SQLite writes a commit into its log (`-wal`) and returns; with `full` it would call
 * fsync on the log next, and 1 to 4 ms would be over. Here the same call is made beside the thread: requests leave
 * before it returns, the next transaction runs meanwhile, and all that was committed until it begins shares it.
 * SQLite itself brings the log to the disk before it copies any of it into the database file (a checkpoint), so
 * what a power cut leaves is always the state after some commit.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs'

export interface Flusher {
  /** The commit of request `id` is in the log. */
  readonly wrote: (id: number) => void
  /** Returns when all that was told is on the disk. */
  readonly close: () => void
}

/**
 * `told` gets the last request whose commit is on the disk. `failed`: the disk did not take it, and nobody knows what it
 * has (the kernel tells this once and then forgets it): nothing may be promised any more.
 */
export function createFlusher(
  logPath: string,
  { told, failed }: { readonly told: (id: number) => void; readonly failed: (e: Error) => void },
): Flusher {
  /** SQLite keeps the log of an open database, and begins anew within it. */
  let fd: number | null = null
  let written = 0
  let flushed = 0
  let flushing = false
  let closed = false

  function flush(): void {
    if (flushing || closed || flushed === written) return
    flushing = true
    const upTo = written
    fd ??= openSync(logPath, 'r')
    fdatasync(fd, (error) => {
      flushing = false
      // A second call would succeed, and mean nothing.
      if (error !== null) closed = true
      if (closed) release()
      if (error !== null) return failed(error)
      if (closed) return
      flushed = upTo
      told(upTo)
      flush()
    })
  }

  function release(): void {
    if (fd !== null) closeSync(fd)
    fd = null
  }

  return {
    wrote(id) {
      written = id
      flush()
    },
    close() {
      closed = true
      if (fd !== null && flushed < written) {
        fdatasyncSync(fd)
        told(written)
      }
      // One under way has the file open until it is over.
      if (!flushing) release()
    },
  }
}
