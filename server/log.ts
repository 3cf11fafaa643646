import { mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import pino, { type Logger } from 'pino'
import type { Config } from '#server/config.ts'

const mostBytes = 20 * 1024 * 1024
const sizeCheckMs = 10_000

/** A log that can be closed: what is in its buffer is written, its timer ends. */
export interface Log extends AsyncDisposable {
  readonly logger: Logger
}

/**
 * Opens the log: JSON lines to `path`, or to stderr where it is null. Writing is asynchronous, so that a slow disk
 * does not hold up the event loop; a full one loses log lines and nothing else.
 */
export function openLog(level: Config['logLevel'], path: string | null): Log {
  if (path !== null) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const destination = pino.destination({ dest: path ?? 2, sync: path === null, mode: 0o600 })
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
      await new Promise<void>((done) => destination.flush(() => done()))
      if (path !== null) destination.end()
    },
  }
}
