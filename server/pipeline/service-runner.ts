/**
 * One running service: its PBX (started, or attached to) and the capture of it. A PBX that does not come up holds
 * nothing up: what is on disk is read all the same, and it is tried again.
 */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PbxDocument } from '#contracts/pbx.ts'
import type { PbxConnection } from '#contracts/service.ts'
import { type Directory, directoryOf } from '#server/domain/events/directory.ts'
import { openAmiLink } from '#server/pbx/asterisk/ami-link.ts'
import { openAsteriskPbx, type PbxLog } from '#server/pbx/asterisk/asterisk-pbx.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { rotateLog } from '#server/pbx/asterisk/log-rotation.ts'
import { keptPorts } from '#server/pbx/asterisk/ports.ts'
import type { ManagedPbx, PbxLink } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'
import { runCapture } from '#server/pipeline/capture.ts'
import { createDoorbell, type Doorbell } from '#server/pipeline/doorbell.ts'
import { aborted } from '#server/pipeline/pause.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { readCapture } from '#server/store/captures.ts'
import type { ServiceInside } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'

export interface ServiceRunnerDeps {
  readonly store: Store
  /** Folder of the managed PBXs, one folder each. */
  readonly pbxFolder: string
  /** Finds or gets an Asterisk; asked only when a managed PBX is to run. */
  readonly asterisk: () => Promise<AsteriskInstallation>
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

/** About 30,000 calls a file; a week of them for people who look into the past. */
const celRotation = { maxBytes: 64 * 1024 * 1024, keepMs: 7 * 86_400_000 }
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
  const { connection } = inside
  const ended =
    connection.kind === 'asterisk_managed'
      ? runManaged(running, connection, tried.resolve, stop.signal)
      : runAttached(running, connection, tried.resolve, stop.signal)
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

type Managed = Extract<PbxConnection, { kind: 'asterisk_managed' }>
type Attached = Extract<PbxConnection, { kind: 'asterisk_attached' }>

async function runManaged(
  running: Running,
  connection: Managed,
  tried: () => void,
  signal: AbortSignal,
): Promise<void> {
  const folder = join(running.deps.pbxFolder, running.inside.service.uuid)
  const opened = Promise.withResolvers<ManagedPbx>()
  opened.promise.catch(() => {
    // Nobody waits for it when we stop before it was up.
  })
  const files = instanceFolder(folder)
  // Only a folder that is there can be watched. What is wrong with it, opening the PBX says.
  await mkdir(dirname(files.celFile), { recursive: true, mode: 0o700 }).catch(() => undefined)
  const captureStop = new AbortController()
  const captured = capture(running, captureStop.signal, {
    celPath: files.celFile,
    queueLogPath: files.queueLogFile,
    beginAt: 'start',
    trunks: () => new Set(running.document?.trunks.map((trunk) => trunk.name)),
    link: linkOnceOpen(opened.promise),
    tidy: (read) => rotateLog(files.celFile, read, celRotation, running.deps.now()),
  })
  const pbx = await keepOpening(running, connection, folder, tried, signal)
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
  connection: Managed,
  folder: string,
  tried: () => void,
  signal: AbortSignal,
): Promise<ManagedPbx | null> {
  const { deps } = running
  for (let wait = retryMs.first; !signal.aborted; wait = Math.min(wait * 2, retryMs.longest)) {
    try {
      const { document } = running
      running.pbx = await open(running, connection, folder)
      if (running.pbx !== null) {
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

async function open(
  running: Running,
  connection: Managed,
  folder: string,
): Promise<ManagedPbx | null> {
  const { deps, document } = running
  if (document === null) return null
  const ports = await keptPorts(folder, connection.sip_port)
  return await openAsteriskPbx({
    folder,
    asterisk: await deps.asterisk(),
    document,
    sip: { host: connection.sip_host, port: ports.sip },
    amiPort: ports.ami,
    rtp: ports.rtp,
    log: deps.log,
  })
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
  connection: Attached,
  tried: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { ami } = connection
  const link = ami === null ? null : openAmiLink(ami)
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
  const trunks = connection.trunks.length > 0 ? new Set(connection.trunks) : null
  await capture(running, signal, {
    celPath: connection.cel_path,
    queueLogPath: connection.queue_log_path,
    beginAt: 'end',
    trunks: () => trunks,
    link,
    tidy: null,
  })
  await watched
  await link?.close()
}

async function capture(
  running: Running,
  signal: AbortSignal,
  source: Pick<
    Parameters<typeof runCapture>[0],
    'celPath' | 'queueLogPath' | 'beginAt' | 'trunks' | 'link' | 'tidy'
  >,
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
