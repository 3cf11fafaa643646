import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What `openStore` wants to know. */
export interface Database {
  readonly url: string
  readonly keyPath: string
}

export interface ScratchFolder extends AsyncDisposable {
  readonly path: string
  /** A SQLite database in it, in a folder of that name. */
  readonly database: (name: string) => Database
}

/** A folder that is gone when it is disposed of; on the disk of the machine's temporary files, with its fsync. */
export async function scratchFolder(): Promise<ScratchFolder> {
  const path = await mkdtemp(join(tmpdir(), 'offhook-bench-'))
  return {
    path,
    database: (name) => ({
      url: `sqlite:${join(path, name, 'offhook.db')}`,
      keyPath: join(path, name, 'secret.key'),
    }),
    [Symbol.asyncDispose]: async () => await rm(path, { recursive: true }),
  }
}
