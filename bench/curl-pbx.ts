// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is how the dialplan writes its variables

/**
 * An Asterisk with a dialplan of three lines, in which a Webhook object and CURL() stand side by side: what a user would
 * write who has no Offhook. It is attached to, and keeps its record as `docs/attach-an-asterisk.md` asks.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ScratchFolder, scratchFolder } from '#bench/scratch-folder.ts'
import { projectFolder } from '#server/config.ts'
import { writeFiles } from '#server/pbx/asterisk/apply-configuration.ts'
import { modulesConf } from '#server/pbx/asterisk/config/modules.ts'
import type { PbxSite } from '#server/pbx/asterisk/config/site.ts'
import * as usual from '#server/pbx/asterisk/config/static-files.ts'
import { findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'
import {
  type InstanceFolder,
  instanceFolder,
  prepareInstanceFolder,
} from '#server/pbx/asterisk/instance-folder.ts'
import { keptPorts } from '#server/pbx/asterisk/ports.ts'
import { startProcess, stopProcess } from '#server/pbx/asterisk/process.ts'

export interface CurlPbx extends AsyncDisposable {
  readonly folder: InstanceFolder
  readonly sipPort: number
  readonly amiPort: number
  readonly amiSecret: string
}

/** As long as the body of the event that Offhook sends, give or take. */
const padding = 'x'.repeat(800)

/** Calls come from `callerPort`; CURL() posts to `curlUrl`. */
export async function startCurlPbx(callerPort: number, curlUrl: string): Promise<CurlPbx> {
  await using parts = new AsyncDisposableStack()
  const scratch: ScratchFolder = parts.use(await scratchFolder())
  const folder = instanceFolder(join(scratch.path, 'pbx'))
  const asterisk = await findAsterisk({ root: await wholeAsterisk() })
  await prepareInstanceFolder(folder, asterisk)
  const { sip, ami, rtp } = await keptPorts(folder.path, null)
  const site: PbxSite = {
    folder: folder.path,
    modules: asterisk.modules,
    sip: { host: '127.0.0.1', port: sip },
    ami: { port: ami, secret: randomBytes(12).toString('hex') },
    rtp,
  }
  await writeFiles(folder, [
    ['asterisk.conf', usual.asteriskConf('curl', site)],
    ['modules.conf', `${modulesConf()}load = res_curl.so\nload = func_curl.so\n`],
    ['logger.conf', usual.loggerConf()],
    ['rtp.conf', usual.rtpConf(site)],
    ['musiconhold.conf', usual.musicOnHoldConf(site)],
    ['indications.conf', usual.indicationsConf()],
    ['http.conf', usual.httpConf()],
    ['cdr.conf', usual.cdrConf()],
    ['cel.conf', usual.celConf()],
    ['cel_custom.conf', usual.celCustomConf()],
    ['manager.conf', usual.managerConf(site)],
    ...usual.emptyFiles.map((name) => [name, ''] as const),
    ['pjsip.conf', pjsipConf(sip, callerPort)],
    ['extensions.conf', dialplan(curlUrl)],
  ])
  const running = await startProcess(folder, { sip: site.sip, ami })
  parts.defer(() => stopProcess(running))
  const opened = parts.move()
  return {
    ...{ folder, sipPort: sip, amiPort: ami, amiSecret: site.ami.secret },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** With the libraries that CURL() needs, which Offhook's own tree leaves out; made once. */
async function wholeAsterisk(): Promise<string> {
  const root = join(projectFolder, '.offhook', 'asterisk-whole')
  const script = join(projectFolder, 'scripts', 'get-asterisk.sh')
  await promisify(execFile)('bash', [script, root, 'whole'])
  return root
}

/** The mark of the Webhook object is made in the moment before CURL() begins: its time is that of both. */
function dialplan(curlUrl: string): string {
  const body = `call=\${UNIQUEID}&name=bench&padding=${padding}`
  return `[from-pstn]
exten => _X.,1,CELGenUserEvent(PBX_INBOUND,did=\${EXTEN}&from=\${URIENCODE(\${CALLERID(num)})})
 same => n,CELGenUserEvent(PBX_COMPONENT,name=bench&call=\${URIENCODE(\${UNIQUEID})})
 same => n,Set(REPLY=\${CURL(${curlUrl},${body})})
 same => n,Answer()
 same => n,Wait(0.3)
 same => n,Hangup()
`
}

const pjsipConf = (sipPort: number, callerPort: number): string => `[global]
type = global
endpoint_identifier_order = ip,username

[transport-udp]
type = transport
protocol = udp
bind = 127.0.0.1:${sipPort}

[trunk]
type = endpoint
context = from-pstn
disallow = all
allow = ulaw
aors = trunk
direct_media = no
trust_id_inbound = yes

[trunk]
type = aor
contact = sip:127.0.0.1:${callerPort}

[trunk]
type = identify
endpoint = trunk
match = 127.0.0.1:${callerPort}
`
