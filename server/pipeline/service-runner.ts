/**
 * One running service: its PBX (started, or attached to) and the capture of it. A PBX that does not come up holds
 * nothing up: what is on disk is read all the same, and it is tried again.
 */
import { PbxDocument } from '#contracts/pbx.ts'
import { type Directory, directoryOf } from '#server/domain/events/directory.ts'
import type { AttachedPbx, ManageablePbx, ManagedPbx, PbxLink, PbxLog } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'
import type { PbxOf } from '#server/pbx/products.ts'
import { runCapture } from '#server/pipeline/capture.ts'
import { createDoorbell, type Doorbell } from '#server/pipeline/doorbell.ts'
import { aborted } from '#server/pipeline/pause.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { readCapture } from '#server/store/captures.ts'
import type { ServiceInside } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'

export interface ServiceRunnerDeps {
  readonly store: Store
  readonly pbxOf: PbxOf
  readonly log: PbxLog
  readonly now: () => number
}

export type PbxState =
  | { readonly is: 'up' }
  | { readonly is: 'starting' }
  | { readonly is: 'waiting_for_document' }
  | { readonly is: 'down'; readonly because: string }

export interface ServiceRunner {
  readonly state: () => PbxState
  /** Resolves when the first attempt to bring the PBX up has succeeded or failed. */
  readonly tried: Promise<void>
  /** The service as it is now; its connection is the same. Applies a changed PBX document. */
  readonly update: (inside: ServiceInside) => Promise<void>
  /** Ends capture after its batch, then stops a managed PBX. */
  readonly close: () => Promise<void>
}

const retryMs = { first: 2_000, longest: 60_000 }

interface Running {
  readonly deps: ServiceRunnerDeps
  inside: ServiceInside
  directory: Directory
  document: PbxDocument | null
  state: PbxState
  pbx: ManagedPbx | null
  /** Rings when there is another document. */
  readonly documentBell: Doorbell
}

export function startService(deps: ServiceRunnerDeps, inside: ServiceInside): ServiceRunner {
  const stop = new AbortController()
  const running: Running = {
    deps,
    inside,
    ...described(inside),
    state: { is: 'starting' },
    pbx: null,
    documentBell: createDoorbell(),
  }
  const tried = Promise.withResolvers<void>()
  const run = async () => {
    const pbx = await deps.pbxOf(inside.service.uuid, inside.connection)
    await (pbx.kind === 'managed'
      ? runManaged(running, pbx, tried.resolve, stop.signal)
      : runAttached(running, pbx, tried.resolve, stop.signal))
  }
  const ended = run()
  return {
    state: () => running.state,
    tried: tried.promise,
    update: (now) => update(running, now),
    close: async () => {
      stop.abort()
      await ended
      tried.resolve()
    },
  }
}

function described(inside: ServiceInside): Pick<Running, 'directory' | 'document'> {
  const document =
    inside.pbxDocument === null ? null : PbxDocument.parse(JSON.parse(inside.pbxDocument))
  return { document, directory: directoryOf(inside.account, inside.service, document) }
}

async function update(running: Running, inside: ServiceInside): Promise<void> {
  const documentChanged = inside.pbxDocument !== running.inside.pbxDocument
  running.inside = inside
  Object.assign(running, described(inside))
  if (!documentChanged || running.document === null) return
  if (running.pbx === null) running.documentBell.ring()
  else await apply(running, running.pbx, running.document)
}

async function apply(running: Running, pbx: ManagedPbx, document: PbxDocument): Promise<void> {
  const { log } = running.deps
  const service = running.inside.service.name
  try {
    const applied = await pbx.apply(document)
    log.info({ service, ...applied }, 'PBX document applied')
    running.state = { is: 'up' }
  } catch (error) {
    log.warn({ service, err: error }, 'PBX document not applied')
    running.state = { is: 'down', because: reasonOf(error) }
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

async function runManaged(
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
  const pbx = await keepOpening(running, manageable, tried, signal)
  if (pbx === null) opened.reject(new PbxError('not_connected', 'The service was stopped.'))
  else opened.resolve(pbx)
  await aborted(signal)
  running.pbx = null
  await pbx?.close()
  // After the PBX: the calls that its stop hung up are its last rows, and are read before this ends.
  captureStop.abort()
  await captured
}

/** Until it is up, or we stop (null). */
async function keepOpening(
  running: Running,
  manageable: ManageablePbx,
  tried: () => void,
  signal: AbortSignal,
): Promise<ManagedPbx | null> {
  const { deps } = running
  for (let wait = retryMs.first; !signal.aborted; wait = Math.min(wait * 2, retryMs.longest)) {
    try {
      const { document } = running
      if (document !== null) {
        running.pbx = await manageable.open(document)
        running.state = { is: 'up' }
        // Replaced while the PBX came up with the one before.
        if (running.document !== document && running.document !== null)
          await apply(running, running.pbx, running.document)
        tried()
        return running.pbx
      }
      running.state = { is: 'waiting_for_document' }
    } catch (error) {
      running.state = { is: 'down', because: reasonOf(error) }
      const facts = { service: running.inside.service.name, err: error, again_in_ms: wait }
      deps.log.warn(facts, 'the PBX did not come up')
    }
    tried()
    await running.documentBell.wait(wait, signal)
  }
  return null
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

async function runAttached(
  running: Running,
  { record, link, trunks }: AttachedPbx,
  tried: () => void,
  signal: AbortSignal,
): Promise<void> {
  const watched = link?.run(
    {
      up: () => {
        running.state = { is: 'up' }
      },
      down: (reason) => {
        running.state = { is: 'down', because: `The manager interface: ${reason}.` }
      },
      activity: () => undefined,
    },
    signal,
  )
  if (link === null) running.state = { is: 'up' }
  tried()
  await capture(running, signal, { record, trunks: () => trunks, link })
  await watched
  await link?.close()
}

async function capture(
  running: Running,
  signal: AbortSignal,
  source: Pick<Parameters<typeof runCapture>[0], 'record' | 'trunks' | 'link'>,
): Promise<void> {
  const { store, log, now } = running.deps
  const { account, service } = running.inside
  await runCapture(
    {
      ...source,
      directory: () => running.directory,
      load: async () => {
        const { cursor, openCalls } = await readCapture(store, service.uuid)
        return { cursor, openCalls: openCalls.map(({ json }) => json) }
      },
      accept: async ({ events, openCalls, cursor }) => {
        await acceptEvents(store, {
          accountId: account.id,
          serviceUuid: service.uuid,
          events,
          openCalls,
          cursor,
          now: now(),
        })
      },
      log: {
        info: (facts, message) => log.info({ service: service.name, ...facts }, message),
        warn: (facts, message) => log.warn({ service: service.name, ...facts }, message),
      },
      now,
    },
    signal,
  )
}
