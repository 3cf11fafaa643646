/**
 * Looks into folders one after the other, and waits for none that does not answer: a mount that hangs holds one of the
 * few threads that all files of this process share, and no second one.
 */

export interface PatientTurns<T> {
  /** What `look` gives; null: the folder has not answered in time, and what it gives later is let go of. */
  readonly take: (folder: string, look: () => Promise<T>) => Promise<T | null>
}

export function patientTurns<T>(
  patienceMs: number,
  letGo: (late: T) => Promise<void>,
): PatientTurns<T> {
  const last = new Map<string, Promise<void>>()
  return {
    async take(folder, look) {
      let expired = false
      const turn = (last.get(folder) ?? Promise.resolve()).then(async () => {
        if (expired) return null
        const given = await look()
        if (!expired) return given
        await letGo(given)
        return null
      })
      const settled = turn.then(
        () => undefined,
        () => undefined,
      )
      last.set(folder, settled)
      void settled.then(() => {
        if (last.get(folder) === settled) last.delete(folder)
      })
      const late = Promise.withResolvers<null>()
      const timer = setTimeout(() => {
        expired = true
        late.resolve(null)
      }, patienceMs)
      try {
        return await Promise.race([turn, late.promise])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
