/**
 * The whole product as a test uses it: the real `offhook start`, a service whose PBX is a real Asterisk with the demo
 * document, a webhook for everything, and a receiver that verifies what arrives. Phones and carrier are sipp.
 */
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Delivery } from '#contracts/delivery.ts'
import { type Event, eventCatalogue } from '#contracts/events/catalogue.ts'
import type { Page } from '#contracts/page.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { Service, ServiceDraft } from '#contracts/service.ts'
import type { CreatedWebhook, WebhookDraft } from '#contracts/webhook/webhook.ts'
import { demoPbxDocument } from '#server/pbx/asterisk/demo-pbx.ts'
import { type InstanceFolder, instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import type { PbxPorts } from '#test/asterisk/play.ts'
import { freeUdpPort } from '#test/support/free-port.ts'
import { type OffhookProcess, startOffhook } from '#test/support/offhook-process.ts'
import { type Receiver, startReceiver } from '#test/support/receiver.ts'
import { waitUntil } from '#test/support/wait-until.ts'

export interface Stack extends AsyncDisposable {
  readonly offhook: OffhookProcess
  readonly receiver: Receiver
  readonly service: Service
  readonly webhook: CreatedWebhook
  readonly ports: PbxPorts
  /** The files of its Asterisk. */
  readonly pbx: InstanceFolder
}

export interface StackOptions {
  readonly webhook?: Partial<WebhookDraft>
  readonly env?: Readonly<Record<string, string>>
}

/** Returns when the link to the PBX is up and the receiver has been told so. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  await using parts = new AsyncDisposableStack()
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const offhook = parts.use(await startOffhook({ env: options.env ?? {} }))
  const ports = await choosePorts()
  const service = await createService(offhook, {
    name: 'headoffice',
    friendly_name: 'Head office',
    connection: { kind: 'asterisk_managed', sip_host: '127.0.0.1', sip_port: ports.sip },
  })
  const webhook = await createWebhook(offhook, receiver, service, { secret, ...options.webhook })
  await offhook.api('PUT', `/services/${service.uuid}/pbx`, documentFor(ports))
  await receiver.waitFor(
    (requests) => requests.some(({ event }) => event?.type === 'service.link.up'),
    'the link to the PBX',
    60_000,
  )
  const opened = parts.move()
  return {
    offhook,
    receiver,
    service,
    webhook,
    ports,
    pbx: instanceFolder(join(offhook.dataFolder, 'pbx', service.uuid)),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** For `onTestFailed`: shows what Offhook logged. */
export function showLog(stack: Stack | undefined): void {
  process.stderr.write(`Offhook's log:\n${stack?.offhook.output() ?? 'it was not started'}\n`)
}

export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

export async function createService(
  offhook: OffhookProcess,
  draft: Pick<ServiceDraft, 'name' | 'friendly_name' | 'connection'>,
): Promise<Service> {
  return await offhook.api('POST', '/services', { ...draft, applications_enabled: true })
}

/** A webhook that every event of the service fires; null: of every service, also of those to come. */
export async function createWebhook(
  offhook: OffhookProcess,
  receiver: Pick<Receiver, 'url'>,
  service: Service | null,
  settings: Partial<WebhookDraft>,
): Promise<CreatedWebhook> {
  return await offhook.api('POST', '/webhooks', {
    name: 'everything',
    count_pickups: true,
    url: receiver.url,
    service_uuid: service?.uuid ?? null,
    triggers: Object.keys(eventCatalogue),
    ...settings,
  })
}

/** `carrierCallers`: how many callers from outside a cast may have. */
export async function choosePorts({ carrierCallers = 2 } = {}): Promise<PbxPorts> {
  return {
    sip: await freeUdpPort(),
    carrier: await freeUdpPort(),
    carrierCalls: await Promise.all(Array.from({ length: carrierCallers }, freeUdpPort)),
    phones: {
      201: await freeUdpPort(),
      202: await freeUdpPort(),
      203: await freeUdpPort(),
      204: await freeUdpPort(),
    },
    registeringSecret: randomBytes(12).toString('hex'),
  }
}

/** The PBX document of a stack: the demo's, on these ports. */
export function documentFor(ports: PbxPorts): PbxDocument {
  return demoPbxDocument({
    carrierPort: ports.carrier,
    carrierMatch: ports.carrierCalls.map((port) => `127.0.0.1:${port}`),
    phonePorts: ports.phones,
    registeringSecret: ports.registeringSecret,
  })
}

export async function asteriskPid({ pbx }: Pick<Stack, 'pbx'>): Promise<number> {
  return Number((await readFile(pbx.pidFile, 'utf8')).trim())
}

/** Ids of the processes that have the data folder, or something in it, in their command line. */
export async function processesOf({ offhook }: Pick<Stack, 'offhook'>): Promise<string[]> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(
    all.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return all.filter((_, at) => lines[at]?.includes(offhook.dataFolder))
}

/** Every event that was stored, oldest first. */
export async function storedEvents({ offhook }: Pick<Stack, 'offhook'>): Promise<Event[]> {
  return (await allOf<Event>(offhook, '/events')).reverse()
}

/** Every delivery, oldest first. */
export async function deliveries({ offhook }: Pick<Stack, 'offhook'>): Promise<Delivery[]> {
  return (await allOf<Delivery>(offhook, '/deliveries')).reverse()
}

/** All pages of a list. */
export async function allOf<T>(offhook: OffhookProcess, path: string): Promise<T[]> {
  const items: T[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: Page<T> = await offhook.api('GET', `${path}?limit=100${query}`)
    items.push(...page.items)
    cursor = page.next_cursor
  }
  return items
}

/** Waits until nothing is on its way to a receiver any more; says what is, where that does not come about. */
export async function allDelivered({ offhook }: Pick<Stack, 'offhook'>): Promise<void> {
  let left: readonly Delivery[] = []
  try {
    await waitUntil(
      async () => {
        const pages = ['pending', 'held', 'leased'].map((state) =>
          offhook.api<Page<Delivery>>('GET', `/deliveries?limit=3&state=${state}`),
        )
        left = (await Promise.all(pages)).flatMap(({ items }) => items)
        return left.length === 0
      },
      { what: 'nothing is left to deliver', timeoutMs: 60_000, everyMs: 100 },
    )
  } catch (error) {
    throw new Error(`Still there, at least: ${JSON.stringify(left, null, 1)}`, { cause: error })
  }
}
