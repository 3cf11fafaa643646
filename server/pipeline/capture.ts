/**
 * Capture of one PBX: reads its durable record by cursor, folds it, and commits events, open calls and cursor
 * together. The files are the only source; file changes and the link (AMI) merely wake it, and a timer does when
 * neither can.
 *
 * What happens when: kill -9 of ours: the cursor is that of the last commit, the rows after it are read again and give
 * the same ids. Disk full, database away: nothing advances, the batch is tried again until it commits. PBX killed: its
 * open calls are closed when it is back and tells when it started. Clock jumps: order comes from the file, not the
 * clock. A flood of rows: one chunk at a time, the next is read after the commit of the last. Rows that tell nothing: held in
 * memory, and committed with the next ones that do or within 1.5 s; a file that is rotated meanwhile takes none along.
 */
import { type CaptureDeps, noteAlive, readAll, resume } from '#server/pipeline/capture-batch.ts'
import { followLink, handleNews, reconcile } from '#server/pipeline/capture-link.ts'
import { countReads } from '#server/pipeline/counted-reads.ts'
import { createDoorbell } from '#server/pipeline/doorbell.ts'
import { pause } from '#server/pipeline/pause.ts'

/** Reading by timer, for when no wake-up comes: network file systems, a full inotify table, a cut link. */
const pollMs = 1_000
/** How often we note that we are alive and compare our channels with the PBX's own list. */
const reconcileMs = 30_000
const retryMs = { first: 250, longest: 30_000 }
/** Rows that waited this long for a commit were read late, not live. */
const lateAfterMs = 5_000

/** Runs until the signal aborts; returns after the batch under way is committed, or when its read does not end. */
export async function runCapture(deps: CaptureDeps, signal: AbortSignal): Promise<void> {
  const { record, stuck } = countReads(deps.record)
  const ended = new AbortController()
  const followed = follow({ ...deps, record }, signal).finally(() => ended.abort())
  const left = await Promise.race([followed, stuck(signal, ended.signal)])
  if (left === true) deps.log.warn({}, 'capture: a read does not end, it is left behind')
}

async function follow(deps: CaptureDeps, signal: AbortSignal): Promise<void> {
  const capture = await retried(deps, signal, () => resume(deps))
  if (capture === null) return
  const doorbell = createDoorbell()
  deps.record.watch(doorbell.ring, signal)
  const link = followLink(capture, doorbell.ring, signal)
  let reconcileAt = performance.now() + reconcileMs
  const step = async () => {
    // What the link says is judged by all that was read.
    await readAll(capture, { mayWait: capture.news.length === 0 })
    await handleNews(capture)
    if (performance.now() < reconcileAt) return
    reconcileAt = performance.now() + reconcileMs
    await reconcile(capture)
  }
  const late = () => {
    capture.liveSince = deps.now()
  }
  while (!signal.aborted) {
    await retried(deps, signal, step, late)
    await doorbell.wait(pollMs, signal)
  }
  await link
  try {
    await readAll(capture)
    await noteAlive(capture)
  } catch (error) {
    // The next start reads it, and tells a longer gap than there was, never a shorter one.
    deps.log.warn({ err: error }, 'capture: the last rows were not committed')
  } finally {
    deps.record.close()
  }
}

/**
 * Tries until it works: what cannot be committed now stays on the PBX's disk. `late` is called before each try once
 * it has failed for a while. Null: the signal aborted before.
 */
async function retried<T>(
  deps: CaptureDeps,
  signal: AbortSignal,
  step: () => Promise<T>,
  late?: () => void,
): Promise<T | null> {
  const began = performance.now()
  for (let wait = retryMs.first; !signal.aborted; wait = Math.min(wait * 2, retryMs.longest)) {
    if (performance.now() - began > lateAfterMs) late?.()
    try {
      return await step()
    } catch (error) {
      deps.log.warn({ err: error, again_in_ms: wait }, 'capture: not committed, trying again')
      await pause(wait, signal)
    }
  }
  return null
}
