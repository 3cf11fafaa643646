/**
 * Whoever stops a capture waits for its last rows, but not for a disk that answers no more: a read of a network mount
 * that hangs never ends. What such a read gives when it ends after all is not committed: the ownership is given up by
 * then, or the store closed.
 */
import type { PbxRecord } from '#server/pbx/pbx.ts'
import { aborted, pause } from '#server/pipeline/pause.ts'

/** Longer than any disk that works takes for one read. */
const patienceMs = 5_000

export interface CountedReads {
  readonly record: PbxRecord
  /**
   * True once the signal has aborted and one and the same read has been under way for `patience` ms since; false when
   * `ended` has aborted before.
   */
  readonly stuck: (signal: AbortSignal, ended: AbortSignal, patience?: number) => Promise<boolean>
}

export function countReads(record: PbxRecord): CountedReads {
  let begun = 0
  let underWay = 0
  async function counted<T>(read: Promise<T>): Promise<T> {
    begun += 1
    underWay += 1
    try {
      return await read
    } finally {
      underWay -= 1
    }
  }
  return {
    record: {
      ...record,
      resume: (stored) => counted(record.resume(stored)),
      read: (cursor) => counted(record.read(cursor)),
      tidy: (cursor, now) => counted(record.tidy(cursor, now)),
    },
    async stuck(signal, ended, patience = patienceMs) {
      await aborted(signal)
      while (!ended.aborted) {
        const before = begun
        await pause(patience, ended)
        if (!ended.aborted && underWay > 0 && begun === before) return true
      }
      return false
    },
  }
}
