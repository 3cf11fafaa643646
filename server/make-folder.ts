import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes the folder, and those above it, for its owner alone where they are missing. Throws what the file system says.
 *
 * Not `mkdir` with `recursive`: below a folder that refuses entries with ENOENT, as /proc does, Node 24 tries it again
 * without end, and the start would hang at full load. Synchronous: it runs at the start only.
 */
export function makeFolder(path: string): void {
  try {
    makeOne(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error
    makeFolder(dirname(path))
    makeOne(path)
  }
}

function makeOne(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // What stands there may be a file: its user is told, who wants to put something into it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
