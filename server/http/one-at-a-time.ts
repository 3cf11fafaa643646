/**
 * Runs pieces of work with the same key one after the other, and others side by side. Between reading an object
 * for `If-Match` and changing it nobody else may change it.
 * It holds within this process, which is the only one on a SQLite database.
 */
export function oneAtATime(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>()
  return async (key, work) => {
    const before = last.get(key)
    const run = (async () => {
      await before?.catch(() => undefined)
      return await work()
    })()
    last.set(key, run)
    try {
      return await run
    } finally {
      if (last.get(key) === run) last.delete(key)
    }
  }
}
