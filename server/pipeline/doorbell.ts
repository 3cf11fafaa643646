import { setTimeout as sleep } from 'node:timers/promises'

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
      if (!rung && !signal.aborted) {
        const timer = new AbortController()
        const ringing = new Promise<void>((resolve) => {
          wake = resolve
        })
        const waiting = sleep(ms, undefined, {
          signal: AbortSignal.any([signal, timer.signal]),
        }).catch(() => {
          // Aborted: by a ring or by the end; both mean going on.
        })
        await Promise.race([ringing, waiting])
        wake = null
        timer.abort()
      }
      rung = false
    },
  }
}
