/**
 * The demo: a service whose PBX is the demo head office, made on the first start so that a newcomer sees real calls
 * without a phone and without a carrier, and the world of phones around it.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { demoPbxDocument } from '#server/pbx/asterisk/demo-pbx.ts'
import { addressesOf, openDemoWorld } from '#server/pbx/asterisk/demo-world.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import { replaceFile } from '#server/pbx/asterisk/instance-folder.ts'
import { freeUdpPort, keptPorts } from '#server/pbx/asterisk/ports.ts'
import {
  changePbxDocument,
  createService,
  getService,
  listServices,
} from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'

/** Kept in the data folder: the PBX document names these ports, and later starts must find the phones there. */
const DemoSettings = z.object({
  serviceUuid: z.uuid(),
  carrierPort: z.int(),
  phonesPort: z.int(),
  registeringSecret: z.string(),
})
export type DemoSettings = z.infer<typeof DemoSettings>

export interface DemoDeps {
  readonly store: Store
  readonly accountId: string
  /** Folder of the demo's own files. */
  readonly folder: string
  /** Folder of the managed PBXs. */
  readonly pbxFolder: string
  readonly now: () => number
}

/**
 * The demo of this data folder; made when the account has no service at all. Null: there is none, or its service was
 * deleted.
 */
export async function findDemo(deps: DemoDeps): Promise<DemoSettings | null> {
  const kept = await readSettings(deps.folder)
  if (kept !== null) {
    const service = await getService(deps.store, deps.accountId, kept.serviceUuid)
    return service === null ? null : kept
  }
  const { items } = await listServices(deps.store, deps.accountId, { limit: 2 })
  const [only] = items
  if (only === undefined) {
    const service = await createService(deps.store, deps.accountId, demoService, deps.now())
    return await furnish(deps, service.uuid)
  }
  // A first start that was killed half way made the service and not its phones.
  const halfMade = items.length === 1 && only.friendly_name === demoService.friendly_name
  return halfMade ? await furnish(deps, only.uuid) : null
}

const demoService = {
  name: 'headoffice',
  friendly_name: 'Head office (demo)',
  country: 'AU',
  applications_enabled: true,
  connection: { kind: 'asterisk_managed', sip_host: '127.0.0.1', sip_port: null },
} as const

async function furnish(deps: DemoDeps, serviceUuid: string): Promise<DemoSettings> {
  const { store, accountId, now } = deps
  const addresses = {
    carrierPort: await freeUdpPort(),
    phonesPort: await freeUdpPort(),
    registeringSecret: randomBytes(18).toString('base64url'),
  }
  const document = demoPbxDocument(addressesOf(addresses))
  await changePbxDocument(store, accountId, serviceUuid, () => document, now())
  const settings = { serviceUuid, ...addresses }
  await mkdir(deps.folder, { recursive: true })
  await replaceFile(join(deps.folder, 'demo.json'), `${JSON.stringify(settings)}\n`)
  return settings
}

async function readSettings(folder: string): Promise<DemoSettings | null> {
  const text = await readFile(join(folder, 'demo.json'), 'utf8').catch(() => null)
  return text === null ? null : DemoSettings.parse(JSON.parse(text))
}

/** Starts the phones and the carrier of the demo PBX. Throws PbxError when they do not come up. */
export async function openWorldOf(
  demo: DemoSettings,
  deps: Pick<DemoDeps, 'folder' | 'pbxFolder'>,
  asterisk: AsteriskInstallation,
) {
  const folder = join(deps.folder, 'world')
  const pbx = await keptPorts(join(deps.pbxFolder, demo.serviceUuid), null)
  const own = await keptPorts(folder, demo.phonesPort)
  return await openDemoWorld({
    folder,
    asterisk,
    pbxPort: pbx.sip,
    carrierPort: demo.carrierPort,
    phonesPort: demo.phonesPort,
    amiPort: own.ami,
    rtp: own.rtp,
    registeringSecret: demo.registeringSecret,
  })
}
