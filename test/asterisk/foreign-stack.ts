/**
 * The product beside a PBX that knows nothing of it: an Asterisk with a hand-written dialplan without marks
 * (`foreign-pbx/`), to which Offhook is attached as docs/attach-an-asterisk.md tells an administrator. What that page
 * says to write into the PBX's files is taken from the page itself: a page that is wrong fails these tests.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inject } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { writeFiles } from '#server/pbx/asterisk/apply-configuration.ts'
import { modulesConf } from '#server/pbx/asterisk/config/modules.ts'
import * as usual from '#server/pbx/asterisk/config/static-files.ts'
import { findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'
import {
  type InstanceFolder,
  instanceFolder,
  prepareInstanceFolder,
} from '#server/pbx/asterisk/instance-folder.ts'
import { keptPorts } from '#server/pbx/asterisk/ports.ts'
import { startProcess, stopProcess } from '#server/pbx/asterisk/process.ts'
import { temporaryFolder } from '#test/asterisk/pbx/demo.ts'
import type { PbxPorts } from '#test/asterisk/play.ts'
import {
  choosePorts,
  createService,
  createWebhook,
  newSecret,
  type Stack,
} from '#test/asterisk/stack.ts'
import { startOffhook } from '#test/support/offhook-process.ts'
import { startReceiver } from '#test/support/receiver.ts'

/** Returns when Offhook is attached to the PBX and the receiver has been told so. */
export async function startForeignStack(
  options: ForeignPbxOptions & { readonly carrierCallers?: number } = {},
): Promise<Stack> {
  await using parts = new AsyncDisposableStack()
  const ports = await choosePorts(options)
  const pbx = parts.use(await startForeignPbx(ports, options))
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const offhook = parts.use(await startOffhook())
  // Before the service: the news of its link is the first thing that it sends.
  const webhook = await createWebhook(offhook, receiver, null, { secret })
  const service = await createService(offhook, {
    name: 'pbx1',
    friendly_name: 'Somebody else’s',
    connection: {
      kind: 'asterisk_attached',
      cel_path: pbx.folder.celFile,
      queue_log_path: pbx.folder.queueLogFile,
      recordings_path: null,
      voicemail_path: null,
      ami: { host: '127.0.0.1', port: pbx.amiPort, username: 'offhook', secret: pbx.amiSecret },
      trunks: ['trunk'],
    },
  })
  await receiver.waitFor(
    (requests) => requests.some(({ event }) => event?.type === 'service.link.up'),
    'the link to the PBX',
    60_000,
  )
  const opened = parts.move()
  return {
    ...{ offhook, receiver, service, webhook, ports },
    pbx: pbx.folder,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** `u`, `f`: with the fraction of the second. */
const cdrColumns = [
  ...['linkedid', 'uniqueid', 'lastapp', 'disposition'],
  ...['answer,u', 'end,u', 'billsec,f'],
]
const cdrCustomConf = `[mappings]\ncdr.csv => ${cdrColumns.map((name) => `\${CDR(${name})}`).join(',')}\n`

export interface ForeignPbx extends AsyncDisposable {
  readonly folder: InstanceFolder
  readonly amiPort: number
  readonly amiSecret: string
}

export interface ForeignPbxOptions {
  /** It writes call detail records, as `log/cdr-custom/cdr.csv`. */
  readonly cdr?: boolean
}

export async function startForeignPbx(
  ports: PbxPorts,
  { cdr = false }: ForeignPbxOptions = {},
): Promise<ForeignPbx> {
  await using parts = new AsyncDisposableStack()
  const folder = instanceFolder(parts.use(await temporaryFolder()).path)
  const asterisk = await findAsterisk({ root: inject('asteriskRoot') })
  await prepareInstanceFolder(folder, asterisk)
  if (cdr) await mkdir(join(folder.path, 'log', 'cdr-custom'))
  const { ami, rtp } = await keptPorts(folder.path, ports.sip)
  const amiSecret = randomBytes(12).toString('hex')
  const site = {
    folder: folder.path,
    modules: asterisk.modules,
    sip: { host: '127.0.0.1', port: ports.sip },
    ami: { port: ami, secret: amiSecret },
    rtp,
  }
  await writeFiles(folder, [
    // How such a machine runs its Asterisk is not what is tried here.
    ['asterisk.conf', usual.asteriskConf('pbx1', site)],
    ['modules.conf', modulesConf() + (cdr ? 'load = cdr_custom.so\n' : '')],
    ['logger.conf', usual.loggerConf()],
    ['rtp.conf', usual.rtpConf(site)],
    ['musiconhold.conf', usual.musicOnHoldConf(site)],
    ['indications.conf', usual.indicationsConf()],
    ['http.conf', usual.httpConf()],
    ['cdr.conf', cdr ? '[general]\nenable = yes\nunanswered = no\n' : usual.cdrConf()],
    ...(cdr ? [['cdr_custom.conf', cdrCustomConf] as const] : []),
    ...usual.emptyFiles.map((name) => [name, ''] as const),
  ])
  const files = await administratorsFiles(placesOf(ports, ami))
  for (const [name, text] of await blocksOfThePage(amiSecret)) {
    files.set(name, (files.get(name) ?? '') + text)
  }
  await writeFiles(folder, files)
  const running = await startProcess(folder, { sip: site.sip, ami })
  parts.defer(() => stopProcess(running))
  const opened = parts.move()
  return {
    ...{ folder, amiPort: ami, amiSecret },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

const placesOf = (ports: PbxPorts, ami: number): ReadonlyMap<string, string> =>
  new Map([
    ['SIP_PORT', String(ports.sip)],
    ['AMI_PORT', String(ami)],
    ['CARRIER_PORT', String(ports.carrier)],
    ['CARRIER_ADDRESSES', ports.carrierCalls.map((port) => `127.0.0.1:${port}`).join(',')],
    ...Object.entries(ports.phones).map(([user, port]) => [`PHONE_${user}`, String(port)] as const),
  ])

/** The files of `foreign-pbx/`, by name, with the ports of this test. */
async function administratorsFiles(
  places: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  const folder = join(import.meta.dirname, 'foreign-pbx')
  const read = async (name: string) => {
    const text = await readFile(join(folder, name), 'utf8')
    return [name, text.replaceAll(/@([A-Z_0-9]+)@/g, (all, key) => places.get(key) ?? all)] as const
  }
  return new Map(await Promise.all((await readdir(folder)).map(read)))
}

/** What docs/attach-an-asterisk.md says to write: file name → text. */
async function blocksOfThePage(amiSecret: string): Promise<Map<string, string>> {
  const page = await readFile(join(projectFolder, 'docs/attach-an-asterisk.md'), 'utf8')
  const blocks = [...page.matchAll(/`\/etc\/asterisk\/([a-z_]+\.conf)`.*?```ini\n(.*?)```/gs)]
  const wanted = ['cel.conf', 'cel_custom.conf', 'manager.conf']
  const found = new Map(blocks.map(([, name = '', text = '']) => [name, text]))
  for (const name of wanted) {
    if (!found.has(name)) throw new Error(`docs/attach-an-asterisk.md has no block for ${name}.`)
  }
  return new Map(
    [...found].map(([name, text]) => [name, text.replace('<a long random one>', amiSecret)]),
  )
}
