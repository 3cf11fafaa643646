import { setTimeout as pause } from 'node:timers/promises'

export interface WaitOptions {
  /** What will then be so, for the message: `the second request has come`. */
  readonly what: string
  readonly timeoutMs?: number
  readonly everyMs?: number
  /** Gives up at once, with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Asks until the answer is neither undefined, null nor false, and returns it. Throws when the time is over (10 s
 * unless told), with what was waited for and the last error of asking. Tests wait with this, never by sleeping.
 */
export async function waitUntil<T>(
  ask: () => T | Promise<T>,
  { what, timeoutMs = 10_000, everyMs = 20, signal }: WaitOptions,
): Promise<Exclude<T, undefined | null | false>> {
  const end = performance.now() + timeoutMs
  for (;;) {
    let problem: unknown
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== null && answer !== false) {
        return answer as Exclude<T, undefined | null | false>
      }
    } catch (error) {
      problem = error
    }
    signal?.throwIfAborted()
    if (performance.now() > end) {
      throw new Error(`Waited ${timeoutMs} ms in vain until ${what}.`, { cause: problem })
    }
    await pause(everyMs)
  }
}

/** As `waitUntil`, for something that a process does: fails as soon as the process has ended instead. */
export async function waitUntilOrEnd<T>(
  ask: () => T | Promise<T>,
  ended: Promise<unknown>,
  options: Omit<WaitOptions, 'signal'>,
): Promise<Exclude<T, undefined | null | false>> {
  const abort = new AbortController()
  const giveUp = (reason: unknown) => abort.abort(reason)
  ended.then(
    () => giveUp(new Error(`The process ended before ${options.what}.`)),
    (error) => giveUp(error),
  )
  return waitUntil(ask, { ...options, signal: abort.signal })
}
