/**
 * A service whose PBX Offhook configures and runs. Until it is up it is tried again and again; what is on disk is
 * captured all the while. From then on its document is followed: what the PBX refuses is told and left, what it could
 * not be asked for is tried again, and what needs a restart waits for a moment without calls.
 */
import type { ManageablePbx, ManagedPbx, PbxLink } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'
import { aborted } from '#server/pipeline/pause.ts'
import { withDocument, withPbx } from '#server/pipeline/pbx-state.ts'
import { capture, type Running, reasonOf, watchLink } from '#server/pipeline/running-service.ts'

const retryMs = { first: 2_000, longest: 60_000 }
/** How often a PBX that needs a restart is asked whether its last call is over. */
const restartPollMs = 5_000

export async function runManaged(
  running: Running,
  manageable: ManageablePbx,
  tried: () => void,
  signal: AbortSignal,
): Promise<void> {
  const opened = Promise.withResolvers<ManagedPbx>()
  opened.promise.catch(() => {
    // Nobody waits for it when we stop before it was up.
  })
  const captureStop = new AbortController()
  const captured = capture(running, captureStop.signal, {
    record: manageable.record,
    trunks: () => new Set(running.document?.trunks.map((trunk) => trunk.name)),
    link: linkOnceOpen(opened.promise),
  })
  const up = await keepOpening(running, manageable, tried, signal)
  if (up === null) opened.reject(new PbxError('not_connected', 'The service was stopped.'))
  else {
    const { pbx, documentText } = up
    opened.resolve(pbx)
    const watched = watchLink(running, pbx, signal)
    const followed = followDocument(running, pbx, documentText, signal)
    await aborted(signal)
    // Not after `followed`: what it waits for, a boot say, is cut short by this.
    await pbx.close()
    await Promise.all([watched, followed])
  }
  // After the PBX: the calls that its stop hung up are its last rows, and are read before this ends.
  captureStop.abort()
  await captured
}

interface Up {
  readonly pbx: ManagedPbx
  /** The document that it came up with, as it is stored. */
  readonly documentText: string | null
}

/** Until it is up, or we stop (null). */
async function keepOpening(
  running: Running,
  manageable: ManageablePbx,
  tried: () => void,
  signal: AbortSignal,
): Promise<Up | null> {
  const { log, now } = running.deps
  for (let wait = retryMs.first; !signal.aborted; wait = Math.min(wait * 2, retryMs.longest)) {
    const { document } = running
    const documentText = running.inside.pbxDocument
    try {
      if (document !== null) {
        running.state = withDocument(running.state, 'pending', now())
        const pbx = await manageable.open(document)
        const { restartNeeded } = pbx
        running.state = withDocument(withPbx(running.state, 'up', now()), 'applied', now(), {
          restartNeeded,
        })
        tried()
        return { pbx, documentText }
      }
      running.state = withPbx(running.state, 'waiting_for_document', now())
    } catch (error) {
      running.state = withPbx(running.state, 'down', now(), reasonOf(error))
      if (isRejection(error)) rejected(running, error)
      const facts = { service: running.inside.service.name, err: error, again_in_ms: wait }
      log.warn(facts, 'the PBX did not come up')
    }
    tried()
    await running.documentBell.wait(wait, signal)
  }
  return null
}

const isRejection = (error: unknown): boolean =>
  error instanceof PbxError && error.code === 'configuration_rejected'

function rejected(running: Running, error: unknown): void {
  const more = { because: reasonOf(error) }
  running.state = withDocument(running.state, 'rejected', running.deps.now(), more)
}

function linkOnceOpen(opened: Promise<PbxLink>): PbxLink {
  return {
    run: async (on, signal) => {
      const link = await opened.catch(() => null)
      await link?.run(on, signal)
    },
    listChannels: async () => await (await opened).listChannels(),
  }
}

/** Applies each document that comes, until the signal aborts. `settled`: the text of the one that is in force. */
async function followDocument(
  running: Running,
  pbx: ManagedPbx,
  settled: string | null,
  signal: AbortSignal,
): Promise<void> {
  let done = settled
  let wait = retryMs.first
  while (!signal.aborted) {
    const text = running.inside.pbxDocument
    if (text !== done && (await apply(running, pbx))) {
      done = text
      wait = retryMs.first
    }
    if (running.state.document?.restartNeeded) await restartWhenIdle(running, pbx)
    if (running.inside.pbxDocument !== done) {
      await running.documentBell.wait(wait, signal)
      wait = Math.min(wait * 2, retryMs.longest)
    } else {
      const needed = running.state.document?.restartNeeded
      await running.documentBell.wait(needed ? restartPollMs : retryMs.longest, signal)
    }
  }
}

/** False: the PBX could not be asked, and should be again. */
async function apply(running: Running, pbx: ManagedPbx): Promise<boolean> {
  const { log, now } = running.deps
  const { document } = running
  if (document === null) return true
  const service = running.inside.service.name
  running.state = withDocument(running.state, 'pending', now())
  try {
    const applied = await pbx.apply(document)
    log.info({ service, ...applied }, 'PBX document applied')
    const more = applied.restartNeeded.length > 0 ? { restartNeeded: true } : {}
    running.state = withDocument(running.state, 'applied', now(), more)
    return true
  } catch (error) {
    log.warn({ service, err: error }, 'PBX document not applied')
    if (!isRejection(error)) return false
    rejected(running, error)
    return true
  }
}

async function restartWhenIdle(running: Running, pbx: ManagedPbx): Promise<void> {
  const { log } = running.deps
  const service = running.inside.service.name
  try {
    if ((await pbx.listChannels()).size > 0) return
    await pbx.restart()
    log.info({ service }, 'the PBX was restarted for its document')
    const { document } = running.state
    if (document !== null)
      running.state = { ...running.state, document: { ...document, restartNeeded: false } }
  } catch (error) {
    log.warn({ service, err: error }, 'the PBX was not restarted for its document')
  }
}
