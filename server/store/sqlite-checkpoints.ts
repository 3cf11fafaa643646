/**
 * Copies what SQLite's log holds into the database file (a checkpoint), in the reading thread: in the write thread, which
 * would do it itself in the middle of a commit, every 228th commit took 6 to 17 ms longer (measured, one event each).
 *
 * A passive checkpoint holds up neither the writer nor readers. What is written meanwhile stays in the log, which can only
 * begin anew when everything of it is copied: under a load without a gap that is left to the write thread, which looks
 * when the log is twice as long, and finds most of it done.
 */
import { DatabaseSync } from 'node:sqlite'

const everyMs = 500
/** What was written during the first is little, and the next has a better chance of meeting a gap. */
const atOnce = 3

export interface Checkpoints {
  readonly close: () => void
}

export function startCheckpoints(path: string): Checkpoints {
  const db = new DatabaseSync(path, { timeout: 0 })
  db.exec('pragma wal_autocheckpoint = 0')
  const version = db.prepare('pragma data_version')
  const checkpoint = db.prepare('pragma wal_checkpoint(passive)')
  let done: unknown = null

  /** False: nothing was committed since the last one. */
  function copy(): boolean {
    const now = version.get()?.data_version
    if (now === done) return false
    checkpoint.get()
    done = now
    return true
  }

  const timer = setInterval(() => {
    try {
      for (let left = atOnce; left > 0 && copy(); ) left -= 1
    } catch {
      // A full disk, for one: the write thread meets it too and tells whoever writes; here it is tried again.
    }
  }, everyMs)
  return {
    close() {
      clearInterval(timer)
      db.close()
    },
  }
}
