import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ScratchFolder extends AsyncDisposable {
  readonly path: string
  /** A new SQLite database in it, as in `OFFHOOK_DATABASE`. */
  readonly database: (name: string) => string
}

/** A folder that is gone when it is disposed of; on the disk of the machine's temporary files, with its fsync. */
export async function scratchFolder(): Promise<ScratchFolder> {
  const path = await mkdtemp(join(tmpdir(), 'offhook-bench-'))
  return {
    path,
    database: (name) => `sqlite:${join(path, name, 'offhook.db')}`,
    [Symbol.asyncDispose]: async () => await rm(path, { recursive: true }),
  }
}
