/** Wakes one sleeper; rings while it is busy are remembered as one. */
export interface Doorbell {
  readonly ring: () => void
  /** Resolves at the next ring, after `ms`, or when the signal aborts, whichever comes first. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

export function createDoorbell(): Doorbell {
  let rung = false
  let wake: (() => void) | null = null
  return {
    ring() {
      rung = true
      wake?.()
    },
    async wait(ms, signal) {
      if (!rung && !signal.aborted) await sleep(ms, signal)
      wake = null
      rung = false
    },
  }

  async function sleep(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
      wake = end
    })
  }
}
