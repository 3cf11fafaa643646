/**
 * The services of all accounts, as far as they are this process's: follows what is created, changed and deleted, here
 * or by another node.
 *
 *   free ── taken, where its record can be read here ──> running ── deleted ──> stopped
 *    ^                                                     │
 *    └── stopped here, or this process was taken for dead ─┘
 *
 * A node that is alone also takes what it cannot read, waits for it and says so; once another node can read it, here or
 * later, that one takes it over.
 *
 * Where several nodes share the database, each looks every second at what is free, what changed, and whether what it
 * runs is still its own. What it lost and nobody took it takes again and goes on; what somebody took it stops. Between
 * the loss and the finding out nothing of it can be committed: see `ownerships.ts`.
 */
import type { Service } from '#contracts/service.ts'
import { pause } from '#server/pipeline/pause.ts'
import type { PbxState } from '#server/pipeline/pbx-state.ts'
import type { ServiceRunnerDeps } from '#server/pipeline/running-service.ts'
import { type ServiceRunner, startService } from '#server/pipeline/service-runner.ts'
import { patientLook } from '#server/pipeline/within-reach.ts'
import {
  type Fence,
  giveUpOwnership,
  listOwnedServices,
  noteUnread,
  type OwnedService,
  takeOwnership,
} from '#server/store/ownerships.ts'
import { listServicesInside, type ServiceInside } from '#server/store/services.ts'

export interface ServicesDeps extends ServiceRunnerDeps {
  /** Of the data folder, where the managed PBXs are. */
  readonly home: string
  /** How many other nodes there are. */
  readonly others: () => number
}

export interface RunningServices {
  /** After a service or its PBX document was created, changed or deleted. */
  readonly changed: (uuid: string) => void
  /** Those that this process runs. */
  readonly states: () => readonly { readonly service: Service; readonly pbx: PbxState }[]
  /** Null: it does not run here, or not yet. */
  readonly stateOf: (uuid: string) => PbxState | null
  readonly close: () => Promise<void>
}

const overseeMs = 1_000

interface Owned {
  inside: ServiceInside
  fence: Fence
  /** As `OwnedService.updatedAt` when it was read. */
  updatedAt: number
  readonly runner: ServiceRunner
}

interface Services {
  readonly deps: ServicesDeps
  readonly running: Map<string, Owned>
  /**
   * Free services that could not be taken, as they are since `updatedAt`: what is looked at every second must not be
   * read and decrypted every second.
   */
  readonly passedOver: Map<string, { readonly inside: ServiceInside; readonly updatedAt: number }>
}

/** Starts every service that is free; returns when each PBX came up or was found not to. */
export async function openServices(given: ServicesDeps): Promise<RunningServices> {
  const isWithinReach = patientLook(given.products.isWithinReach)
  const deps: ServicesDeps = { ...given, products: { ...given.products, isWithinReach } }
  const services: Services = { deps, running: new Map(), passedOver: new Map() }
  const stop = new AbortController()
  let turn: Promise<void> = Promise.resolve()
  // One after the other: two quick changes must not run two captures of one file.
  const inTurn = (work: () => Promise<void>, facts: object) => {
    turn = turn
      // The API answers longer than the services run: what it changes then is found by the next start.
      .then(async () => (stop.signal.aborted ? undefined : await work()))
      .catch((error: unknown) => {
        deps.log.warn({ ...facts, err: error }, 'service: change not followed')
      })
    return turn
  }

  const inside = await listServicesInside(deps.store)
  const living = new Set(inside.map(({ service }) => service.uuid))
  await deps.products.finishDiscards(living).catch((error: unknown) => {
    deps.log.warn({ err: error }, 'service: the rest of a deleted PBX cannot be removed')
  })
  const known = new Map((await listOwnedServices(deps.store)).map((s) => [s.serviceUuid, s]))
  await Promise.all(
    inside.map(async (one) => {
      try {
        const owned = await take(services, one, known.get(one.service.uuid)?.updatedAt ?? 0)
        await owned?.runner.tried
      } catch (error) {
        // A stored document that this version does not understand must not keep the other PBXs down.
        deps.log.warn({ service: one.service.name, err: error }, 'service: not started')
      }
    }),
  )
  const watched = (async () => {
    while (!deps.store.facts.singleProcess && !stop.signal.aborted) {
      await pause(overseeMs, stop.signal)
      await inTurn(async () => await oversee(services), {})
    }
  })()
  return {
    changed: (uuid) =>
      void inTurn(async () => await follow(services, uuid), { service_uuid: uuid }),
    states: () =>
      [...services.running.values()].map(({ inside: { service }, runner }) => ({
        service,
        pbx: runner.state(),
      })),
    stateOf: (uuid) => services.running.get(uuid)?.runner.state() ?? null,
    close: async () => {
      stop.abort()
      await watched
      await turn
      await Promise.all([...services.running.keys()].map((uuid) => release(services, uuid)))
    },
  }
}

/** Null: it is somebody else's, or cannot be read from here. */
async function take(
  { deps, running }: Services,
  inside: ServiceInside,
  updatedAt: number,
): Promise<Owned | null> {
  const { connection, service } = inside
  const unread = !(await deps.products.isWithinReach(connection))
  // Alone we are the one to wait for a file that is not there yet, until another comes that has it.
  if (deps.others() > 0 && unread) return null
  const fence = await takeOwnership(deps.store, service.uuid, homeOf(deps, connection), unread)
  if (fence === null) return null
  const runner = startService(deps, inside, () => owned.fence)
  const owned: Owned = { inside, fence, updatedAt, runner }
  running.set(service.uuid, owned)
  return owned
}

const homeOf = ({ home }: ServicesDeps, { kind }: ServiceInside['connection']) =>
  kind === 'asterisk_managed' ? home : null

async function stopRunning({ running }: Services, uuid: string): Promise<Owned | null> {
  const owned = running.get(uuid)
  running.delete(uuid)
  await owned?.runner.close()
  return owned ?? null
}

/** The service was deleted; its ownership is gone with it. */
async function discard(services: Services, uuid: string): Promise<void> {
  const { products, log } = services.deps
  const stopped = stopRunning(services, uuid).then(() => undefined)
  await products.discard(uuid, stopped)
  log.info({ service_uuid: uuid }, 'service: deleted, with all that its PBX kept')
}

async function release(services: Services, uuid: string): Promise<void> {
  const { store, log } = services.deps
  const owned = await stopRunning(services, uuid)
  if (owned === null) return
  await giveUpOwnership(store, uuid, owned.fence).catch((error: unknown) => {
    const facts = { service: owned.inside.service.name, err: error }
    log.warn(facts, 'service: could not be given up, the other nodes will find out')
  })
}

/** What it is now: started, updated, or stopped. */
async function follow(services: Services, uuid: string): Promise<void> {
  const { store } = services.deps
  const row = (await listOwnedServices(store)).find((s) => s.serviceUuid === uuid)
  const [inside] = await listServicesInside(store, [uuid])
  if (inside === undefined || row === undefined) await discard(services, uuid)
  else await followOne(services, inside, row)
}

async function followOne(
  services: Services,
  inside: ServiceInside,
  row: OwnedService,
): Promise<void> {
  const { running } = services
  const uuid = row.serviceUuid
  const owned = running.get(uuid)
  if (owned === undefined) return void (await take(services, inside, row.updatedAt))
  if (JSON.stringify(owned.inside.connection) !== JSON.stringify(inside.connection)) {
    await release(services, uuid)
    return void (await take(services, inside, row.updatedAt))
  }
  owned.inside = inside
  owned.updatedAt = row.updatedAt
  owned.runner.update(inside)
}

/** One look at all services. */
async function oversee(services: Services): Promise<void> {
  const { deps, running } = services
  const rows = await listOwnedServices(deps.store)
  const there = new Set(rows.map((row) => row.serviceUuid))
  const gone = [...running.keys()].filter((uuid) => !there.has(uuid))
  await sideBySide(gone, async (uuid) => await discard(services, uuid))
  const concern = await sideBySide(rows, async (row) => await concernsUs(services, row))
  const toFollow = rows.filter((_row, i) => concern[i])
  const inside = await insideOf(services, toFollow)
  services.passedOver.clear()
  await sideBySide(toFollow, async (row) => {
    const one = inside.get(row.serviceUuid)
    if (one === undefined) return
    await followOne(services, one, row)
    if (running.has(row.serviceUuid)) return
    services.passedOver.set(row.serviceUuid, { inside: one, updatedAt: row.updatedAt })
  })
}

/** One that waits for its disk, or fails, keeps no other waiting. Returns when all have ended; throws what one threw. */
async function sideBySide<T, R>(
  all: readonly T[],
  work: (one: T) => Promise<R>,
): Promise<readonly R[]> {
  const ended = await Promise.allSettled(all.map(work))
  return ended.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

/** Of those that were passed over and are unchanged since, what was read then. */
async function insideOf(
  { deps, passedOver }: Services,
  rows: readonly OwnedService[],
): Promise<ReadonlyMap<string, ServiceInside>> {
  const found = new Map<string, ServiceInside>()
  const unknown: string[] = []
  for (const { serviceUuid, updatedAt } of rows) {
    const known = passedOver.get(serviceUuid)
    if (known?.updatedAt === updatedAt) found.set(serviceUuid, known.inside)
    else unknown.push(serviceUuid)
  }
  if (unknown.length === 0) return found
  for (const one of await listServicesInside(deps.store, unknown)) found.set(one.service.uuid, one)
  return found
}

/** It is free, or unread where it is, and could be ours; or it is ours and was changed. */
async function concernsUs(services: Services, row: OwnedService): Promise<boolean> {
  const owned = services.running.get(row.serviceUuid)
  if (owned !== undefined) {
    return (await keep(services, owned, row)) && owned.updatedAt !== row.updatedAt
  }
  return (row.node === null || row.unread) && (row.home === null || row.home === services.deps.home)
}

/** False: what we run is not ours any more, and stopped. */
async function keep(services: Services, owned: Owned, row: OwnedService): Promise<boolean> {
  const { deps } = services
  const { fence } = owned
  const { connection } = owned.inside
  const unread = !(await deps.products.isWithinReach(connection))
  if (row.node === fence.node && row.epoch === fence.epoch) {
    if (row.unread !== unread) await noteUnread(deps.store, row.serviceUuid, fence, unread)
    return true
  }
  const facts = { service: owned.inside.service.name }
  if (row.node === null && row.epoch === fence.epoch) {
    const home = homeOf(deps, connection)
    const again = await takeOwnership(deps.store, row.serviceUuid, home, unread)
    // Nobody had it in between: what we read and have not committed is still what comes next.
    if (again !== null && again.epoch === fence.epoch + 1) {
      owned.fence = again
      deps.log.warn(facts, 'service: was free for a while, taken again')
      return true
    }
    if (again !== null) await giveUpOwnership(deps.store, row.serviceUuid, again)
  }
  deps.log.warn(facts, 'service: another process has taken it over')
  await stopRunning(services, row.serviceUuid)
  return false
}
