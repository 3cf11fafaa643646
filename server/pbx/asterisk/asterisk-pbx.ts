import { setTimeout as sleep } from 'node:timers/promises'
import type { PbxDocument } from '#contracts/pbx.ts'
import { type AmiLink, openAmiLink } from '#server/pbx/asterisk/ami-link.ts'
import {
  applyConfiguration,
  differingFiles,
  writeFiles,
} from '#server/pbx/asterisk/apply-configuration.ts'
import {
  type Configuration,
  generateConfiguration,
  reloadedBy,
} from '#server/pbx/asterisk/config/generate.ts'
import { amiUsername, type PbxSite } from '#server/pbx/asterisk/config/site.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import {
  type InstanceFolder,
  instanceFolder,
  managerSecret,
  prepareInstanceFolder,
} from '#server/pbx/asterisk/instance-folder.ts'
import type { Reopening } from '#server/pbx/asterisk/log-rotation.ts'
import {
  type AsteriskProcess,
  adopt,
  findRunning,
  lastWords,
  startProcess,
  stopProcess,
} from '#server/pbx/asterisk/process.ts'
import type { ManagedPbx, OriginateCall, PbxLog } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

export interface AsteriskPbxOptions {
  /** Absolute path; made when absent. */
  readonly folder: string
  readonly asterisk: AsteriskInstallation
  readonly document: PbxDocument
  readonly sip: { readonly host: string; readonly port: number }
  readonly amiPort: number
  readonly rtp: { readonly first: number; readonly last: number }
  readonly log: PbxLog
}

export type AsteriskPbx = ManagedPbx & Reopening

/** Booted takes 0.4 to 0.9 s on an idle machine; a loaded one may be many times slower. */
const bootTimeoutMs = 60_000
const restartPauseMs = { first: 500, longest: 30_000 }
/** A PBX that lived this long was not in a crash loop. */
const healthyMs = 60_000

/**
 * Runs the PBX that a document describes: adopts the Asterisk that an earlier Offhook left running in the folder (its
 * calls go on), else starts one; waits until it is booted and has this configuration; from then on starts it
 * again whenever it dies. Throws PbxError when it does not come up.
 */
export async function openAsteriskPbx(options: AsteriskPbxOptions): Promise<AsteriskPbx> {
  const folder = instanceFolder(options.folder)
  await prepareInstanceFolder(folder, options.asterisk)
  const site: PbxSite = {
    folder: options.folder,
    modules: options.asterisk.modules,
    sip: options.sip,
    ami: { port: options.amiPort, secret: await managerSecret(folder) },
    rtp: options.rtp,
  }
  const pbx: RunningPbx = {
    options,
    folder,
    site,
    process: await adoptOrStart(options, folder, generateConfiguration(options.document, site)),
    link: openAmiLink({
      host: '127.0.0.1',
      port: site.ami.port,
      username: amiUsername,
      secret: site.ami.secret,
      // Ours and local: a boot lasts half a second, and trying costs nothing.
      firstPauseMs: 50,
      longestPauseMs: 1000,
    }),
    closing: new AbortController(),
    leaving: null,
    turn: Promise.resolve(),
  }
  try {
    await booted(pbx)
    const configuration = generateConfiguration(options.document, site)
    const { restartNeeded } = await applyConfiguration(pbx.link.client, folder, configuration)
    return managed(pbx, supervise(pbx), restartNeeded.length > 0)
  } catch (error) {
    await pbx.link.close()
    // One that we found running has calls; whatever is wrong with us is no reason to end them.
    if (!pbx.process.adopted) await stopProcess(pbx.process)
    throw error
  }
}

interface RunningPbx {
  readonly options: AsteriskPbxOptions
  readonly folder: InstanceFolder
  readonly site: PbxSite
  process: AsteriskProcess
  readonly link: AmiLink
  readonly closing: AbortController
  /** The process that is being stopped for a restart. */
  leaving: AsteriskProcess | null
  /** Changes of configuration and restarts go one after the other. */
  turn: Promise<unknown>
}

async function adoptOrStart(
  options: AsteriskPbxOptions,
  folder: InstanceFolder,
  configuration: Configuration,
): Promise<AsteriskProcess> {
  const pid = await findRunning(folder)
  const differing = await differingFiles(folder, configuration)
  if (pid !== null) {
    const left = adopt(pid, folder)
    const restartOnly = [...differing.keys()].filter((name) => !reloadedBy.has(name))
    if (restartOnly.length === 0) {
      options.log.info({ pid }, 'the PBX was still running and is taken over')
      return left
    }
    // Other ports, another name: it cannot become what it should be without a restart.
    options.log.info({ pid, files: restartOnly }, 'the PBX is restarted with other settings')
    await stopProcess(left)
  }
  await writeFiles(folder, configuration.files)
  return startProcess(folder, { sip: options.sip, ami: options.amiPort })
}

/** Resolves when the manager interface says that Asterisk is fully booted. */
async function booted(pbx: RunningPbx): Promise<void> {
  const enough = new AbortController()
  const { gone } = pbx.process
  try {
    await Promise.race([
      linkIs(pbx, 'up', enough.signal),
      gone.then(async (how) => {
        const said = await lastWords(pbx.folder)
        throw new PbxError('start_failed', `Asterisk did not start: ${how}. It said: ${said}`)
      }),
      sleep(bootTimeoutMs, undefined, { signal: enough.signal }).then(() => {
        const seconds = bootTimeoutMs / 1000
        throw new PbxError('start_failed', `Asterisk was not ready after ${seconds} seconds.`)
      }),
    ])
  } finally {
    enough.abort()
  }
}

function linkIs(pbx: RunningPbx, wanted: 'up' | 'down', signal: AbortSignal): Promise<void> {
  const seen = new AbortController()
  const tell = (what: 'up' | 'down') => (what === wanted ? seen.abort() : undefined)
  const on = { up: () => tell('up'), down: () => tell('down'), activity: () => {} }
  return pbx.link.run(on, AbortSignal.any([seen.signal, signal]))
}

/** Starts the PBX again whenever it is gone, until we close. */
async function supervise(pbx: RunningPbx): Promise<void> {
  const { log } = pbx.options
  let failures = 0
  for (;;) {
    const watched = pbx.process
    const since = Date.now()
    const how = await watched.gone
    if (pbx.closing.signal.aborted) return
    if (pbx.leaving === watched) {
      await pbx.turn // restarted on purpose; had that failed, this one is still ours to replace
      continue
    }
    failures = Date.now() - since > healthyMs ? 0 : failures
    const pause = Math.min(restartPauseMs.longest, restartPauseMs.first * 2 ** failures)
    failures += 1
    log.warn({ how, again_ms: pause }, 'the PBX is gone and will be started again')
    await sleep(pause, undefined, { signal: pbx.closing.signal }).catch(() => {})
    if (pbx.closing.signal.aborted) return
    await inTurn(pbx, async () => {
      if (pbx.process !== watched) return
      pbx.process = await startProcess(pbx.folder, {
        sip: pbx.options.sip,
        ami: pbx.options.amiPort,
      })
      log.info({ pid: pbx.process.pid }, 'the PBX is started again')
    }).catch((error: unknown) => {
      log.warn({ err: error }, 'the PBX could not be started')
    })
  }
}

function inTurn<T>(pbx: RunningPbx, work: () => Promise<T>): Promise<T> {
  const mine = pbx.turn.then(work)
  pbx.turn = mine.catch(() => {})
  return mine
}

function managed(pbx: RunningPbx, supervision: Promise<void>, restartNeeded: boolean): AsteriskPbx {
  const { folder, link, site } = pbx
  return {
    restartNeeded,
    run: link.run,
    listChannels: link.listChannels,
    apply: (document) =>
      inTurn(pbx, () =>
        applyConfiguration(link.client, folder, generateConfiguration(document, site)),
      ),
    isIdle: async () => (await link.listChannels()).size === 0,
    // In turn: what a change of configuration makes Asterisk say is looked for in messages.
    reopen: () =>
      inTurn(pbx, async () => void (await link.client.action('Reload', { Module: 'logger' }))),
    restart: () => inTurn(pbx, () => restart(pbx)),
    originate: (call) => originate(link, call),
    close: async () => {
      pbx.closing.abort()
      await pbx.turn
      await link.close()
      await stopProcess(pbx.process)
      await supervision
    },
  }
}

async function restart(pbx: RunningPbx): Promise<void> {
  pbx.leaving = pbx.process
  try {
    await stopProcess(pbx.process)
    await linkIs(pbx, 'down', pbx.closing.signal)
    pbx.process = await startProcess(pbx.folder, {
      sip: pbx.options.sip,
      ami: pbx.options.amiPort,
    })
    await booted(pbx)
  } finally {
    pbx.leaving = null
  }
}

async function originate(link: AmiLink, call: OriginateCall): Promise<void> {
  const valid =
    /^[0-9]{2,8}$/.test(call.from) &&
    /^[0-9*#+]{1,24}$/.test(call.to) &&
    // A comma would be the next variable.
    (call.leadId === undefined || /^[^\p{Cc},"\\]{1,200}$/u.test(call.leadId))
  if (!valid) throw new PbxError('refused', 'The numbers or the lead id of the call are not valid.')
  await link.client.action('Originate', {
    Channel: `PJSIP/${call.from}`,
    Context: 'from-users',
    Exten: call.to,
    Priority: '1',
    CallerID: call.from,
    Timeout: String((call.ringSeconds ?? 30) * 1000),
    Async: 'true',
    ...(call.leadId === undefined ? {} : { Variable: `PBX_LEAD=${call.leadId}` }),
  })
}
