import { once } from 'node:events'
import { closeSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import pino, { type Logger } from 'pino'
import type { Config } from '#server/config.ts'
import { makeFolder } from '#server/make-folder.ts'
import { StartError } from '#server/start-error.ts'

const mostBytes = 20 * 1024 * 1024
const sizeCheckMs = 10_000
/** What waits for a disk that takes nothing; later lines are dropped. */
const mostWaiting = 4 * 1024 * 1024
/** How long a stop waits for a disk that takes nothing. */
const flushMs = 1_000

/** A log that can be closed: what is in its buffer is written, its timer ends. */
export interface Log extends AsyncDisposable {
  readonly logger: Logger
}

/**
 * Opens the log: JSON lines to `path`, or to stderr where it is null. Writing is asynchronous, so that a slow disk
 * does not hold up the event loop; a full one loses log lines and nothing else. Throws StartError `log_unwritable`.
 */
export async function openLog(level: Config['logLevel'], path: string | null): Promise<Log> {
  const destination = await openDestination(path)
  destination.on('error', () => undefined)
  const timer = setInterval(() => {
    if (path === null) return
    try {
      const { size } = statSync(path)
      if (size < mostBytes) return
      renameSync(path, `${path}.1`)
      destination.reopen()
    } catch {
      // A log that cannot be looked at or renamed grows on; thrown out of a timer this would end the server.
    }
  }, sizeCheckMs)
  timer.unref()
  return {
    logger: pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      if (path === null) return
      await new Promise<void>((done) => {
        const late = setTimeout(done, flushMs)
        destination.flush(() => {
          clearTimeout(late)
          done()
        })
      })
      // Not `end`, which waits for a full disk for ever.
      destination.destroy()
    },
  }
}

/**
 * Opened when it resolves: pino throws at the end of a process when its file is not open, be it not yet or because it
 * could not be, so that is tried first.
 */
async function openDestination(path: string | null): Promise<ReturnType<typeof pino.destination>> {
  if (path === null) return pino.destination({ dest: 2, sync: true })
  try {
    makeFolder(dirname(path))
    closeSync(openSync(path, 'a', 0o600))
    const destination = pino.destination({
      dest: path,
      sync: false,
      mode: 0o600,
      maxLength: mostWaiting,
    })
    await once(destination, 'ready')
    return destination
  } catch (error) {
    throw new StartError(
      'log_unwritable',
      `The log ${path} cannot be written (${(error as NodeJS.ErrnoException).code}). OFFHOOK_LOG_FILE chooses another.`,
      { cause: error },
    )
  }
}
