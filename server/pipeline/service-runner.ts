/**
 * One running service: its PBX (started, or attached to) and the capture of it. A PBX that does not come up holds
 * nothing up: what is on disk is read all the same, and it is tried again.
 */
import { PbxDocument } from '#contracts/pbx.ts'
import { audioLink } from '#server/domain/audio-link.ts'
import { type Directory, directoryOf } from '#server/domain/events/directory.ts'
import type { AttachedPbx } from '#server/pbx/pbx.ts'
import { hasAudio } from '#server/pbx/products.ts'
import { createDoorbell } from '#server/pipeline/doorbell.ts'
import { runManaged } from '#server/pipeline/managed-service.ts'
import { pause } from '#server/pipeline/pause.ts'
import { type PbxState, withPbx } from '#server/pipeline/pbx-state.ts'
import {
  capture,
  type Running,
  type ServiceRunnerDeps,
  watchLink,
} from '#server/pipeline/running-service.ts'
import type { Fence } from '#server/store/ownerships.ts'
import type { ServiceInside } from '#server/store/services.ts'

export interface ServiceRunner {
  readonly state: () => PbxState
  /** Resolves when the first attempt to bring the PBX up has succeeded or failed. */
  readonly tried: Promise<void>
  /** The service as it is now; its connection is the same. A changed PBX document is applied from here on. */
  readonly update: (inside: ServiceInside) => void
  /** Ends capture after its batch, then stops a managed PBX. */
  readonly close: () => Promise<void>
}

/** `fence` gives the proof that the PBX is captured by this process, as it is now. */
export function startService(
  deps: ServiceRunnerDeps,
  inside: ServiceInside,
  fence: () => Fence,
): ServiceRunner {
  const stop = new AbortController()
  const running: Running = {
    deps,
    inside,
    fence,
    ...described(deps, inside),
    state: { is: 'starting', since: deps.now(), because: null, document: null },
    documentBell: createDoorbell(),
  }
  const tried = Promise.withResolvers<void>()
  const run = async () => {
    const pbx = await deps.products.pbxOf(inside.service.uuid, inside.connection)
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

function described(
  { audioLinks }: ServiceRunnerDeps,
  inside: ServiceInside,
): Pick<Running, 'directory' | 'document'> {
  const document =
    inside.pbxDocument === null ? null : PbxDocument.parse(JSON.parse(inside.pbxDocument))
  const linkOf: Directory['audioLink'] = (kind, eventId, at) =>
    audioLinks === null || !hasAudio(inside.connection, kind)
      ? null
      : audioLink(audioLinks, eventId, at)
  return { document, directory: directoryOf(inside.account, inside.service, document, linkOf) }
}

function update(running: Running, inside: ServiceInside): void {
  const documentChanged = inside.pbxDocument !== running.inside.pbxDocument
  running.inside = inside
  Object.assign(running, described(running.deps, inside))
  if (documentChanged) running.documentBell.ring()
}

async function runAttached(
  running: Running,
  { record, link, linkName, trunks }: AttachedPbx,
  tried: () => void,
  signal: AbortSignal,
): Promise<void> {
  if (link === null) await lookAtRecord(running)
  const watched =
    link === null ? watchRecord(running, signal) : watchLink(running, link, signal, linkName)
  tried()
  await capture(running, signal, { record, trunks: () => trunks, link })
  await watched
  await link?.close()
}

const lookMs = 1_000

/** Of a PBX without a link its record is all there is to know: it is up while that can be read. */
async function watchRecord(running: Running, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(lookMs, signal)
    if (!signal.aborted) await lookAtRecord(running)
  }
}

async function lookAtRecord(running: Running): Promise<void> {
  const { deps, inside } = running
  const within = await deps.products.isWithinReach(inside.connection)
  const because = within ? null : 'Its CEL file is not there, or may not be read.'
  running.state = withPbx(running.state, within ? 'up' : 'down', deps.now(), because)
}
