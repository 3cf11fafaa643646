/**
 * Runs what others wrote for so long and no longer. `node:vm` is no sandbox, and is not used as one here: its timeout is
 * the only thing that ends a loop that never looks at a clock, wherever in the call it is.
 *
 * The timeout is of the clock on the wall; what counts is the time of the processor. On a machine that does much else, a
 * call that was stopped early without having had its share is made once more, with as much longer as it was kept waiting.
 */
import { createContext, Script } from 'node:vm'

const realm = createContext(Object.create(null)) as { work?: () => void }
const call = new Script('work()')

/** However busy the machine is: the event loop waits for it. */
const longestStretch = 10

const processorMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/**
 * `work` must do no harm when it is begun twice. Throws whatever it throws, and an error that `isOverTime` knows. Costs
 * 0.5 ms: a thread that watches.
 */
export function within<T>(ms: number, work: () => T): T {
  const before = processorMs()
  try {
    return watched(ms, work)
  } catch (error) {
    const had = processorMs() - before
    if (!isOverTime(error) || had >= ms * 0.8) throw error
    return watched(Math.ceil(ms * Math.min(longestStretch, ms / Math.max(had, 1))), work)
  }
}

function watched<T>(ms: number, work: () => T): T {
  let made: { readonly value: T } | null = null
  realm.work = () => {
    made = { value: work() }
  }
  try {
    call.runInContext(realm, { timeout: ms })
  } finally {
    delete realm.work
  }
  return (made as unknown as { readonly value: T }).value
}

/** The error is of the other realm: no instance of the Error here. */
export const isOverTime = (error: unknown): boolean =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
