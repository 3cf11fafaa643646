/** What a service holds while it runs, and what all kinds of PBX have in common: capture, and watching the link. */
import type { PbxDocument } from '#contracts/pbx.ts'
import type { AudioLinks } from '#server/domain/audio-link.ts'
import type { Directory } from '#server/domain/events/directory.ts'

import type { AttachedPbx, PbxLink, PbxLog } from '#server/pbx/pbx.ts'
import type { PbxProducts } from '#server/pbx/products.ts'

import { runCapture } from '#server/pipeline/capture.ts'
import type { Doorbell } from '#server/pipeline/doorbell.ts'
import { type PbxState, withPbx } from '#server/pipeline/pbx-state.ts'
import { acceptSoon } from '#server/store/accept.ts'
import { readCapture } from '#server/store/captures.ts'
import type { Fence } from '#server/store/ownerships.ts'
import type { ServiceInside } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'

export interface ServiceRunnerDeps {
  readonly store: Store
  readonly products: PbxProducts
  readonly log: PbxLog
  readonly now: () => number
  /** What links to audio are made with; null: events carry none. */
  readonly audioLinks: AudioLinks | null
}

export interface Running {
  readonly deps: ServiceRunnerDeps
  inside: ServiceInside
  /** Proof that the PBX is captured by this process, as it is now. */
  readonly fence: () => Fence
  directory: Directory
  document: PbxDocument | null
  state: PbxState
  /** Rings when there is another document. */
  readonly documentBell: Doorbell
}

export const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** Keeps the state as the link tells it, until the signal aborts. */
export async function watchLink(
  running: Running,
  link: PbxLink,
  signal: AbortSignal,
  name: AttachedPbx['linkName'] = 'manager interface',
): Promise<void> {
  const tell = (is: PbxState['is'], because: string | null = null) => {
    running.state = withPbx(running.state, is, running.deps.now(), because)
  }
  await link.run(
    {
      up: () => tell('up'),
      down: (reason) => tell('down', `The ${name}: ${reason}.`),
      activity: () => undefined,
    },
    signal,
  )
}

export async function capture(
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
        await acceptSoon(store, {
          accountId: account.id,
          serviceUuid: service.uuid,
          events,
          openCalls,
          cursor,
          fence: running.fence(),
          now: now(),
        })
      },
      onDisk: store.onDisk,
      log: {
        info: (facts, message) => log.info({ service: service.name, ...facts }, message),
        warn: (facts, message) => log.warn({ service: service.name, ...facts }, message),
      },
      now,
    },
    signal,
  )
}
