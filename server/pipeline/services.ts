/** All services of all accounts, running; follows what is created, changed and deleted. */
import type { Service } from '#contracts/service.ts'
import type { PbxState } from '#server/pipeline/pbx-state.ts'
import type { ServiceRunnerDeps } from '#server/pipeline/running-service.ts'
import { type ServiceRunner, startService } from '#server/pipeline/service-runner.ts'
import { listServicesInside, type ServiceInside } from '#server/store/services.ts'

export interface RunningServices {
  /** After a service or its PBX document was created, changed or deleted. */
  readonly changed: (uuid: string) => void
  readonly states: () => readonly { readonly service: Service; readonly pbx: PbxState }[]
  /** Null: it does not run here, or not yet. */
  readonly stateOf: (uuid: string) => PbxState | null
  readonly close: () => Promise<void>
}

/** Starts every service; returns when each PBX came up or was found not to. */
export async function openServices(deps: ServiceRunnerDeps): Promise<RunningServices> {
  const running = new Map<string, { inside: ServiceInside; runner: ServiceRunner }>()
  let turn: Promise<void> = Promise.resolve()
  let closed = false

  const start = (inside: ServiceInside) => {
    const runner = startService(deps, inside)
    running.set(inside.service.uuid, { inside, runner })
    return runner
  }
  const stop = async (uuid: string) => {
    const known = running.get(uuid)
    running.delete(uuid)
    await known?.runner.close()
  }
  const follow = async (uuid: string) => {
    // The API answers longer than the services run: what it changes then is found by the next start.
    if (closed) return
    const inside = (await listServicesInside(deps.store)).find((s) => s.service.uuid === uuid)
    const known = running.get(uuid)
    if (inside === undefined) {
      await deps.products.discard(uuid, stop(uuid))
      deps.log.info({ service_uuid: uuid }, 'service: deleted, with all that its PBX kept')
      return
    }
    const same = JSON.stringify(known?.inside.connection) === JSON.stringify(inside.connection)
    if (known === undefined || !same) {
      await stop(uuid)
      start(inside)
      return
    }
    known.inside = inside
    known.runner.update(inside)
  }

  const first = await listServicesInside(deps.store)
  const living = new Set(first.map(({ service }) => service.uuid))
  await deps.products.finishDiscards(living).catch((error: unknown) => {
    deps.log.warn({ err: error }, 'service: the rest of a deleted PBX cannot be removed')
  })
  const startOne = async (inside: ServiceInside) => {
    try {
      await start(inside).tried
    } catch (error) {
      // A stored document that this version does not understand must not keep the other PBXs down.
      deps.log.warn({ service: inside.service.name, err: error }, 'service: not started')
    }
  }
  await Promise.all(first.map(startOne))
  return {
    changed: (uuid) => {
      // One after the other: two quick changes must not run two captures of one file.
      turn = turn
        .then(() => follow(uuid))
        .catch((error: unknown) => {
          deps.log.warn({ service_uuid: uuid, err: error }, 'service: change not followed')
        })
    },
    states: () =>
      [...running.values()].map(({ inside, runner }) => ({
        service: inside.service,
        pbx: runner.state(),
      })),
    stateOf: (uuid) => running.get(uuid)?.runner.state() ?? null,
    close: async () => {
      closed = true
      await turn
      await Promise.all([...running.keys()].map(stop))
    },
  }
}
