import { pause } from '#server/pipeline/pause.ts'

const pauseMs = { first: 250, longest: 5_000 }

/**
 * Does `work` until it succeeds: for what must not be lost while the database cannot take it. Each failure is told to
 * `failed`. Once the signal has aborted there is one more try, and its failure is thrown.
 */
export async function retryUntil<T>(
  signal: AbortSignal,
  work: () => Promise<T>,
  { failed }: { readonly failed: (error: unknown) => void },
): Promise<T> {
  for (let wait = pauseMs.first; ; wait = Math.min(wait * 2, pauseMs.longest)) {
    const last = signal.aborted
    try {
      return await work()
    } catch (error) {
      if (last) throw error
      failed(error)
    }
    // Aborted: no pause before the last try.
    await pause(wait, signal)
  }
}
