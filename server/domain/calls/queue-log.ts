/** queue_log adds to a queue's summary what CEL does not know, and tells when the PBX started. */
import type { Draft } from '#server/domain/calls/draft.ts'
import type { QueueLogRow } from '#server/domain/calls/rows.ts'
import type { QueueLogFacts } from '#server/domain/calls/state.ts'
import { queueLogKey } from '#server/domain/calls/visits.ts'

const outcomes: Readonly<Record<string, QueueLogFacts['outcome']>> = {
  CONNECT: 'completed',
  ABANDON: 'abandoned',
  EXITWITHTIMEOUT: 'timed_out',
  EXITEMPTY: 'left',
  EXITWITHKEY: 'left',
}

/** A day is longer than any call; what is older belongs to calls that were never read. */
const keptMs = 86_400_000
const keptEntries = 10_000

export function foldQueueLog(draft: Draft, row: QueueLogRow): void {
  if (row.event === 'QUEUESTART') {
    draft.bootAt = row.at
    return
  }
  const key = queueLogKey(row.uniqueId, row.queue)
  if (row.event === 'ENTERQUEUE') {
    draft.queueLog.set(key, { at: row.at, position: wholeNumber(row.data[2]), outcome: null })
    if (draft.queueLog.size > keptEntries) forgetOldQueueLog(draft, row.at)
    return
  }
  const outcome = Object.hasOwn(outcomes, row.event) ? outcomes[row.event] : undefined
  const known = draft.queueLog.get(key)
  if (outcome && known) draft.queueLog.set(key, { ...known, outcome })
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null
}

export function forgetOldQueueLog(draft: Draft, now: number): void {
  for (const [key, facts] of draft.queueLog) {
    // Insertion order is time order: beyond the bound the oldest go, whatever their age.
    const old = now - facts.at > keptMs || draft.queueLog.size > keptEntries
    if (!old) return
    draft.queueLog.delete(key)
  }
}
