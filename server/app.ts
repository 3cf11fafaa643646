/**
 * The composition root: opens the parts in order, each knowing only those before it, and closes them in reverse.
 *
 *   data folder, database ── API ── deliver, housekeep ── services (PBX and capture each) ── phones of the demo
 *
 * What arrived before a stop is in the database. A stop ends the PBXs and their captures, waits for requests to
 * receivers up to the stop time, answers the requests to the API that are under way, and closes the database last.
 */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { PbxConnection } from '#contracts/service.ts'
import type { TestCall } from '#contracts/test-call.ts'
import { type Config, projectFolder } from '#server/config.ts'
import { homeOf, lockDataFolder, openDataFolder } from '#server/data-folder.ts'
import { demoReceiverAllowed } from '#server/demo-receiver-file.ts'
import { type LinkSettings, linksOf } from '#server/domain/audio-link.ts'
import { ensureFirstKey, type KeyNotice } from '#server/first-key.ts'
import { serveApi } from '#server/http/serve-api.ts'
import { createSender, type Sender } from '#server/outbound/attempt.ts'
import { createAgentHub } from '#server/pbx/agent/agent-hub.ts'
import type { DemoWorld } from '#server/pbx/asterisk/demo-world.ts'
import { type AsteriskInstallation, findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'
import { endOfRecord, pbxProducts } from '#server/pbx/products.ts'
import { callAudio } from '#server/pipeline/call-audio.ts'
import { firstCursor } from '#server/pipeline/capture-batch.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { type DemoDeps, type DemoSettings, findDemo, openWorldOf } from '#server/pipeline/demo.ts'
import { runHousekeep } from '#server/pipeline/housekeep.ts'
import { openNode } from '#server/pipeline/node.ts'
import { createTester } from '#server/pipeline/send-test.ts'
import { openServices, type RunningServices } from '#server/pipeline/services.ts'
import { createTemplates, type Templates } from '#server/pipeline/templates.ts'
import { readPredefinedWebhooks } from '#server/predefined-webhooks.ts'
import { StartError } from '#server/start-error.ts'
import { type Account, ensureAccount } from '#server/store/accounts.ts'
import { idempotencyKeysIn } from '#server/store/idempotency-keys.ts'
import { openStore } from '#server/store/open-store.ts'
import type { Store } from '#server/store/store.ts'

export interface App extends AsyncDisposable {
  readonly version: string
  /** Where the API is: `http://127.0.0.1:8420`. */
  readonly url: string
  readonly key: KeyNotice
  readonly services: RunningServices
  /** The demo of this data folder; null where there is none, or it is switched off. */
  readonly demo: Demo | null
  /** Rejects when a part that must run has failed: the process should end and be started again. */
  readonly failed: Promise<never>
}

export interface Demo {
  readonly serviceUuid: string
  /** The carrier and the phones, or why they did not come up. */
  readonly world: DemoWorld | { readonly because: string }
}

/** What opening needs from its caller. */
export interface Opening {
  readonly config: Config
  readonly log: Logger
  /** Told line by line what takes long. */
  readonly onProgress: (line: string) => void
  /** Aborted: opening ends at the next step, and what was open is closed. */
  readonly signal: AbortSignal
}

/** The only account until there are members; the command line works in it. */
export const firstAccountName = 'main'

export const version: string = JSON.parse(
  readFileSync(join(projectFolder, 'package.json'), 'utf8'),
).version

const listenProblems: Readonly<Record<string, (host: string, port: number) => StartError>> = {
  EADDRINUSE: (host, port) =>
    new StartError(
      'port_in_use',
      `Port ${port} on ${host} is in use by another program; OFFHOOK_PORT chooses another.`,
    ),
  EACCES: (_host, port) =>
    new StartError(
      'port_in_use',
      `You may not listen on port ${port}; OFFHOOK_PORT chooses another.`,
    ),
  EADDRNOTAVAIL: (host) =>
    new StartError(
      'address_unavailable',
      `This machine has no address ${host}; OFFHOOK_HOST chooses another.`,
    ),
  ENOTFOUND: (host) =>
    new StartError(
      'address_unavailable',
      `There is no address "${host}"; OFFHOOK_HOST chooses another.`,
    ),
}

async function listen(server: FastifyInstance, { host, port }: Config): Promise<string> {
  try {
    await server.listen({ host, port })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    throw listenProblems[code]?.(host, port) ?? error
  }
  const address = server.server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${name}:${address.port}`
}

/** One search for all PBXs that start together; a failed one may be repeated, the network may be back. */
function asteriskFinder({ config, onProgress, signal }: Opening) {
  let search: Promise<AsteriskInstallation> | null = null
  return async (): Promise<AsteriskInstallation> => {
    search ??= findAsterisk({ root: config.asteriskRoot, onProgress, signal })
    try {
      return await search
    } catch (error) {
      search = null
      throw error
    }
  }
}

async function openStoreOf(
  { config }: Opening,
  parts: AsyncDisposableStack,
): Promise<{ readonly store: Store; readonly account: Account }> {
  await openDataFolder(config.dataFolder)
  const { database: url, secretKeyFile: keyPath } = config
  const store = parts.adopt(await openStore({ url, keyPath }), (s) => s.close())
  // On SQLite the database is locked already.
  if (!store.facts.singleProcess) parts.use(lockDataFolder(config.dataFolder))
  return { store, account: await ensureAccount(store, firstAccountName, Date.now()) }
}

type Sending = { readonly sender: Sender; readonly templates: Templates }

/** Closed after the loops that send. */
function openSending({ config }: Opening, parts: AsyncDisposableStack): Sending {
  const { allowAddresses: allow, denyAddresses: deny, proxy = null, dataFolder } = config
  const alsoAllowed = demoReceiverAllowed(dataFolder)
  const sender = createSender({ policy: { allow, deny }, proxy, alsoAllowed })
  return {
    sender: parts.adopt(sender, (s) => s.close()),
    templates: parts.adopt(createTemplates(), (one) => one.close()),
  }
}

/** Opened before everything that owns or leases anything, closed after it. */
async function openNodeOf(
  { config, log }: Opening,
  store: Store,
  parts: AsyncDisposableStack,
): Promise<{ readonly home: string; readonly others: () => number }> {
  const home = await homeOf(config.dataFolder)
  const identity = { home, host: hostname(), version }
  const node = parts.adopt(await openNode({ store, identity, log, now: Date.now }), (n) =>
    n.close(),
  )
  return { home, others: node.others }
}

/** The loops; `failed` rejects when one ends before the parts close. */
function runLoops(
  { config, log }: Opening,
  store: Store,
  sending: Sending,
  parts: AsyncDisposableStack,
): Promise<never> {
  const failure = Promise.withResolvers<never>()
  // Nobody may be waiting for it yet, or any more.
  failure.promise.catch(() => undefined)
  const deps = { store, log, now: Date.now }
  const run = (loop: (signal: AbortSignal) => Promise<void>) => {
    const stop = new AbortController()
    const ended = loop(stop.signal).catch((error: unknown) => failure.reject(error))
    parts.defer(async () => {
      stop.abort()
      await ended
    })
  }
  run(async (stop) => await runHousekeep({ ...deps, retentionDays: config.retentionDays }, stop))
  const { maxInFlight, disableAfterMs } = config
  const stopMs = config.stopSeconds * 1000
  run(
    async (stop) =>
      await runDeliver({ ...deps, ...sending, version, maxInFlight, disableAfterMs, stopMs }, stop),
  )
  return failure.promise
}

/**
 * Who asks for the demo asks for an Asterisk: without one the start fails, and says how to go on. The PBXs of other
 * services are tried again and again instead: deliveries must not wait for them.
 */
async function needAsterisk(asterisk: () => Promise<AsteriskInstallation>): Promise<void> {
  try {
    await asterisk()
  } catch (error) {
    if (!(error instanceof PbxError)) throw error
    const hint = 'OFFHOOK_DEMO_PBX=off starts Offhook without the demo PBX.'
    throw new StartError('no_asterisk', `${error.message} ${hint}`, { cause: error })
  }
}

async function openDemo(
  settings: DemoSettings,
  deps: DemoDeps,
  asterisk: () => Promise<AsteriskInstallation>,
  log: Logger,
  parts: AsyncDisposableStack,
): Promise<Demo> {
  const { serviceUuid } = settings
  try {
    const world = await openWorldOf(settings, deps, await asterisk())
    parts.defer(async () => await world.close())
    return { serviceUuid, world }
  } catch (error) {
    log.warn({ err: error }, 'the phones of the demo did not come up')
    return {
      serviceUuid,
      world: { because: error instanceof Error ? error.message : String(error) },
    }
  }
}

async function captureFrom(connection: PbxConnection): Promise<string | null> {
  const record = await endOfRecord(connection)
  return record === null ? null : firstCursor(record)
}

/** The phones of a service that is the demo; null: it is not, or they are not up. */
function worldOf(demo: Demo | null, uuid: string): DemoWorld | null {
  if (demo === null || demo.serviceUuid !== uuid || 'because' in demo.world) return null
  return demo.world
}

function webhookTools({ config, log }: Opening, store: Store, { sender, templates }: Sending) {
  const { definitions, leftOut } = readPredefinedWebhooks(config.dataFolder)
  for (const why of leftOut) log.error({}, why)
  return {
    version,
    templates,
    whyForbidden: sender.whyForbidden,
    tester: createTester({ store, sender, templates, version, now: Date.now }),
    predefined: definitions,
  }
}

function testCallsOf(demo: () => Demo | null) {
  return {
    takesTestCalls: (uuid: string) => worldOf(demo(), uuid) !== null,
    async placeTestCall(uuid: string, call: TestCall): Promise<boolean> {
      const world = worldOf(demo(), uuid)
      if (world === null) return false
      await world.placeTestCall(call)
      return true
    },
  }
}

function pbxsOf({ config, log }: Opening, asterisk: () => Promise<AsteriskInstallation>) {
  const folder = join(config.dataFolder, 'pbx')
  const agents = createAgentHub(Date.now)
  const { denyAddresses: denied } = config
  const products = pbxProducts({ folder, asterisk, agents, denied, log })
  return { agents, products, pbxFolder: folder }
}

function linkSettings({ publicUrl, recordingLinkMs: ttlMs }: Config, store: Store): LinkSettings {
  return { publicUrl: publicUrl ?? null, ttlMs, key: store.secrets.keyFor('links to audio') }
}

/** Opens everything. Throws StartError or StoreError with one sentence; what was open is then closed. */
export async function openApp(opening: Opening): Promise<App> {
  const { config, log, signal } = opening
  await using parts = new AsyncDisposableStack()
  const { store, account } = await openStoreOf(opening, parts)
  const node = await openNodeOf(opening, store, parts)
  signal.throwIfAborted()

  const sending = openSending(opening, parts)
  let open = false
  const asterisk = asteriskFinder(opening)
  const { agents, products, pbxFolder } = pbxsOf(opening, asterisk)
  const links = linkSettings(config, store)
  let services: RunningServices | null = null
  let demo: Demo | null = null
  const changedEarly = new Set<string>()
  const deps = {
    store,
    agents,
    idempotencyKeys: idempotencyKeysIn(store, Date.now),
    now: Date.now,
    // On another machine the file of that name is another.
    captureFrom: async (connection: PbxConnection) =>
      node.others() > 0 ? null : await captureFrom(connection),
    serviceLeaves: products.condemn,
    servicesChanged: (uuid: string) => {
      if (services === null) changedEarly.add(uuid)
      else services.changed(uuid)
    },
    pbxState: (uuid: string) => services?.stateOf(uuid) ?? null,
    ...testCallsOf(() => demo),
    ...webhookTools(opening, store, sending),
    openAudio: callAudio(store, products),
    links,
    open: () => open,
    owns: () => services?.states().map(({ service }) => service.uuid) ?? [],
  }
  const server = parts.adopt(serveApi(deps, log), async (s) => await s.close())
  const url = await listen(server, config)
  // After the port is ours: a start that fails must not have shown a key.
  const key = await ensureFirstKey(store, account, config.dataFolder)
  const failed = Promise.race([runLoops(opening, store, sending, parts), store.failed])
  failed.catch(() => undefined)

  const folder = join(config.dataFolder, 'demo')
  const demoDeps: DemoDeps = { store, accountId: account.id, folder, pbxFolder, now: Date.now }
  const demoSettings = config.demoPbx ? await findDemo(demoDeps) : null
  if (demoSettings !== null) await needAsterisk(asterisk)
  const serving = { store, products, log, now: Date.now, audioLinks: linksOf(links), ...node }
  const running = await openServices(serving)
  services = parts.adopt(running, async (s) => await s.close())
  for (const uuid of changedEarly) services.changed(uuid)
  signal.throwIfAborted()
  if (demoSettings) demo = await openDemo(demoSettings, demoDeps, asterisk, log, parts)
  open = true
  const opened = parts.move()
  return {
    version,
    url,
    key,
    services,
    demo,
    failed,
    async [Symbol.asyncDispose]() {
      open = false
      await opened.disposeAsync()
    },
  }
}
