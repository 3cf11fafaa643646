import type { Database } from '#bench/scratch-folder.ts'
import { type ScratchFolder, scratchFolder } from '#bench/scratch-folder.ts'
import { startPostgres } from '#test/support/postgres-server.ts'

export interface ScratchPostgres extends AsyncDisposable {
  readonly database: Database
}

/** A PostgreSQL of its own with an empty database, `fsync` on, for as long as it is not disposed of. */
export async function scratchPostgres(): Promise<ScratchPostgres> {
  await using parts = new AsyncDisposableStack()
  const folder: ScratchFolder = parts.use(await scratchFolder())
  const server = parts.use(await startPostgres())
  const url = await server.createDatabase('bench')
  const opened = parts.move()
  return {
    database: { url, keyPath: `${folder.path}/secret.key` },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
