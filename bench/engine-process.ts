/**
 * The engine as `server/app.ts` runs it, without PBX and API: store, node, deliverer, housekeeping. Events are made before the
 * clock starts and accepted as capture accepts them.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'
import { sql } from 'kysely'
import { serve } from '#bench/child.ts'
import { nowMs } from '#bench/clock.ts'
import { callTypes, type EventOwner, eventsOfCall } from '#bench/event-source.ts'
import { type FillRequest, fillLog } from '#bench/fill-log.ts'
import type { Database } from '#bench/scratch-folder.ts'
import { benchSecret } from '#bench/signed-requests.ts'
import type { Event } from '#contracts/events/catalogue.ts'
import { ServiceDraft } from '#contracts/service.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { parseAddressRanges } from '#server/domain/address-policy.ts'
import { boundHeap } from '#server/heap.ts'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { runHousekeep } from '#server/pipeline/housekeep.ts'
import { openNode, type RunningNode } from '#server/pipeline/node.ts'
import { createTemplates } from '#server/pipeline/templates.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { ensureAccount } from '#server/store/accounts.ts'
import { openStore } from '#server/store/open-store.ts'
import { createService } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { createWebhook } from '#server/store/webhooks.ts'

export interface EngineSetup {
  /** One PBX each, whose events fire this webhook and no other. */
  readonly webhooks: readonly {
    readonly url: string
    readonly settings?: Partial<WebhookDraft>
  }[]
  /** How many of them an account has; all in one unless told. */
  readonly perAccount?: number
}

export interface RoundRequest {
  readonly events: number
  /** How many may be accepted and not yet sent; the source waits. */
  readonly outstanding: number
  /** How many calls of a PBX are accepted together; as many as of a busy one unless told. */
  readonly calls?: number
}

export interface Round {
  /** Events. */
  readonly count: number
  /** From the first accept until the last outcome is on disk. */
  readonly seconds: number
  /** Of this process with its threads, per event. */
  readonly cpuMicros: number
}

/** A steady source: it does not wait for what it offered before. */
export interface OfferRequest {
  readonly seconds: number
  readonly perSecond: number
  /** For the first so many webhooks, picked evenly. */
  readonly webhooks: number
}

export interface Offered {
  readonly id: string
  /** Which webhook it fires, by its place in the setup. */
  readonly webhook: number
  /** When it was to be offered: `nowMs`. */
  readonly at: number
}

/** As many calls (60 events) as capture commits at once when it is busy. */
const busyCalls = 12
const maxInFlight = 384

let store: Store | null = null
let node: RunningNode | null = null
let owners: readonly EventOwner[] = []
let attempted = 0
let freed = Promise.withResolvers<void>()
let loops: { readonly stop: AbortController; readonly ended: Promise<unknown> } | null = null

const opened = (): Store => {
  if (store === null) throw new Error('the engine is not open')
  return store
}

const say = (facts: object, message: string) =>
  process.stderr.write(`${message} ${inspect(facts, { depth: 4 })}\n`)
// Leases that come back after a kill are no news here.
const log = { info: () => undefined, warn: () => undefined, error: say }

/** Registers too, so that what a killed engine had leased comes back as it does from a killed Offhook. */
async function openDatabase(database: Database): Promise<Store> {
  const opened = await openStore(database)
  const identity = { home: database.url, host: 'bench', version: 'bench' }
  node = await openNode({ store: opened, identity, log, now: Date.now })
  return opened
}

/** The real sender; counts what is over, so that the source knows how much is under way. */
function countingSender() {
  const sender = createSender({ policy: { allow: parseAddressRanges('127.0.0.1'), deny: [] } })
  return {
    sender,
    counting: {
      async attempt(...asked: Parameters<typeof sender.attempt>) {
        const outcome = await sender.attempt(...asked)
        attempted += 1
        freed.resolve()
        return outcome
      },
    },
  }
}

async function finished(): Promise<boolean> {
  const left = await sql<{ seq: number }>`
    select seq from delivery where state = 'pending'
    union all select seq from delivery where state = 'leased' limit 1`.execute(opened().read)
  return left.rows.length === 0
}

async function untilFinished(): Promise<void> {
  while (!(await finished())) await pause(2)
}

/** Whose turn it is; over all rounds, so that each of many PBXs has it. */
let turn = 0

/** Batches of so many whole calls, one PBX each, the PBXs in turn. */
function makeBatches(
  events: number,
  calls = busyCalls,
  chosen: readonly EventOwner[] = owners,
): readonly { owner: EventOwner; events: Event[] }[] {
  const batches: { owner: EventOwner; events: Event[] }[] = []
  for (let made = 0; made < events; ) {
    const owner = chosen[turn % chosen.length] as EventOwner
    turn += 1
    const batch: Event[] = []
    for (let call = 0; call < calls && made + batch.length < events; call += 1) {
      batch.push(...eventsOfCall(owner))
    }
    batches.push({ owner, events: batch })
    made += batch.length
  }
  return batches
}

async function acceptBatch({ owner, events }: { owner: EventOwner; events: Event[] }) {
  const { deliveries, duplicates } = await acceptEvents(opened(), {
    accountId: owner.account.id,
    serviceUuid: owner.serviceUuid,
    events,
    openCalls: null,
    cursor: null,
    now: Date.now(),
  })
  if (deliveries + duplicates !== events.length)
    throw new Error('not every event became a delivery')
}

async function createOne(
  account: EventOwner['account'],
  number: number,
  url: string,
  settings: Partial<WebhookDraft> = {},
): Promise<EventOwner> {
  const service = ServiceDraft.parse({
    name: `pbx${number}`,
    friendly_name: `Site ${number}`,
    applications_enabled: true,
    connection: { kind: 'asterisk_managed' },
  })
  const { uuid } = await createService(opened(), account.id, service, 0)
  const webhook = WebhookDraft.parse({
    name: `receiver ${number}`,
    url,
    secret: benchSecret,
    service_uuid: uuid,
    triggers: [...callTypes],
    ...settings,
  })
  await createWebhook(opened(), account.id, webhook, 0)
  return { account, serviceUuid: uuid }
}

const handlers = {
  async open(database: Database): Promise<void> {
    store = await openDatabase(database)
  },
  /** On an open, empty database. */
  async create({ webhooks, perAccount = webhooks.length }: EngineSetup): Promise<void> {
    const made: EventOwner[] = []
    for (const [i, { url, settings }] of webhooks.entries()) {
      const account = await ensureAccount(opened(), `account ${Math.floor(i / perAccount)}`, 0)
      made.push(await createOne(account, i, url, settings))
    }
    owners = made
  },
  /** On a database that was created before. */
  async reopen(database: Database): Promise<void> {
    store = await openDatabase(database)
    const rows = await store.read
      .selectFrom('service')
      .innerJoin('account', 'account.id', 'service.account_id')
      .select(['service.uuid', 'account.id', 'account.name'])
      .orderBy('service.seq')
      .execute()
    owners = rows.map(({ uuid, id, name }) => ({ account: { id, name }, serviceUuid: uuid }))
  },
  start(): void {
    const stop = new AbortController()
    const deps = { store: opened(), log, now: Date.now }
    const { sender, counting } = countingSender()
    const deliver = async () => {
      await using parts = new AsyncDisposableStack()
      parts.defer(async () => await sender.close())
      const templates = parts.adopt(createTemplates(), (one) => one.close())
      const own = {
        sender: counting,
        templates,
        version: 'bench',
        maxInFlight,
        disableAfterMs: null,
        stopMs: 10_000,
      }
      await runDeliver({ ...deps, ...own }, stop.signal)
    }
    const ended = Promise.all([
      deliver(),
      runHousekeep({ ...deps, retentionDays: 30 }, stop.signal),
    ])
    ended.catch((error: unknown) => {
      say({ error }, 'the engine has ended')
      process.exit(1)
    })
    loops = { stop, ended }
  },
  /** What is under way ends; nothing new is begun until `start`. */
  async halt(): Promise<void> {
    loops?.stop.abort()
    await loops?.ended
    loops = null
  },
  async close(): Promise<void> {
    await node?.close()
    await opened().close()
    store = null
  },
  /**
   * Accepts so many events, as fast as it goes; nothing is delivered meanwhile where nothing was started. For all
   * webhooks in turn, or for the one at that place in the setup.
   */
  async load({ events, webhook }: { events: number; webhook?: number }): Promise<number> {
    const chosen = webhook === undefined ? owners : owners.slice(webhook, webhook + 1)
    let accepted = 0
    while (accepted < events) {
      const atOnce = Math.min(busyCalls * callTypes.length * 20, events - accepted)
      const batches = makeBatches(atOnce, busyCalls, chosen)
      await Promise.all(batches.map(acceptBatch))
      for (const batch of batches) accepted += batch.events.length
    }
    return accepted
  },
  /** Accepts the calls of these names on one PBX; the ids of their events, which are then on disk. */
  async acceptCalls(names: readonly string[]): Promise<readonly string[]> {
    const [first = ''] = names
    const owner = owners[Number.parseInt(first, 10) % owners.length] as EventOwner
    const events = names.flatMap((name) => eventsOfCall(owner, name))
    await acceptBatch({ owner, events })
    return events.map(({ id }) => id)
  },
  /** Resolves when nothing is on its way any more. */
  untilFinished,
  /** Deliveries by state. */
  async states(): Promise<Readonly<Record<string, number>>> {
    const rows = await opened()
      .read.selectFrom('delivery')
      .select((e) => ['state', e.fn.countAll<number>().as('count')])
      .groupBy('state')
      .execute()
    return Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]))
  },
  /** Microseconds of CPU of this process with its threads. */
  cpu(): number {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  /** Where the memory of the process is, MB (10^6 bytes); the heap is that of the event loop's thread alone. */
  memory() {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
    const mb = (bytes: number) => Math.round(bytes / 1e6)
    return { now: mb(rss), heap_used: mb(heapUsed), heap: mb(heapTotal), external: mb(external) }
  },
  fillLog: async (request: FillRequest): Promise<number> => await fillLog(opened(), request),
  /** Resolves when the last one is on disk. */
  async offer({ seconds, perSecond, webhooks }: OfferRequest): Promise<readonly Offered[]> {
    const offered: Offered[] = []
    const accepting: Promise<void>[] = []
    const began = nowMs()
    for (let i = 0; i < seconds * perSecond; i += 1) {
      const at = began + (i * 1_000) / perSecond
      while (nowMs() < at) await pause(1)
      const webhook = Math.floor(Math.random() * webhooks)
      const owner = owners[webhook] as EventOwner
      const events = eventsOfCall(owner).slice(0, 1)
      offered.push({ id: events[0]?.id ?? '', webhook, at })
      accepting.push(acceptBatch({ owner, events }))
    }
    await Promise.all(accepting)
    return offered
  },
  /** Accepts so many events, has them delivered and written down. */
  async round({ events, outstanding, calls }: RoundRequest): Promise<Round> {
    const batches = makeBatches(events, calls)
    const cpu = process.cpuUsage()
    const began = nowMs()
    const before = attempted
    let begun = 0
    const accepting = new Set<Promise<void>>()
    for (const batch of batches) {
      while (begun - (attempted - before) + batch.events.length > outstanding) {
        freed = Promise.withResolvers()
        await freed.promise
      }
      begun += batch.events.length
      const work: Promise<void> = acceptBatch(batch).finally(() => accepting.delete(work))
      accepting.add(work)
    }
    await Promise.all(accepting)
    while (attempted - before < begun) await pause(2)
    await untilFinished()
    const seconds = (nowMs() - began) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    return { count: begun, seconds, cpuMicros: (user + system) / begun }
  },
}

export type EngineHandlers = typeof handlers
boundHeap()
serve(handlers)
