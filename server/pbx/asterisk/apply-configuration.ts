import { open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AmiClient } from '#server/pbx/asterisk/ami-client.ts'
import { amiField } from '#server/pbx/asterisk/ami-codec.ts'
import { revisionVariable } from '#server/pbx/asterisk/config/extensions-conf.ts'
import { type Configuration, reloadedBy } from '#server/pbx/asterisk/config/generate.ts'
import { type InstanceFolder, replaceFile } from '#server/pbx/asterisk/instance-folder.ts'
import type { AppliedConfiguration } from '#server/pbx/pbx.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

/** The files on disk that are not as the configuration wants them: name → text now, null where there is none. */
export async function differingFiles(
  folder: InstanceFolder,
  configuration: Configuration,
): Promise<Map<string, string | null>> {
  const differing = new Map<string, string | null>()
  for (const [name, wanted] of configuration.files) {
    const now = await readFile(join(folder.etc, name), 'utf8').catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        throw error
      },
    )
    if (now !== wanted) differing.set(name, now)
  }
  return differing
}

export async function writeFiles(
  folder: InstanceFolder,
  files: Iterable<readonly [name: string, text: string | null]>,
): Promise<void> {
  for (const [name, text] of files) {
    const path = join(folder.etc, name)
    if (text === null) await rm(path, { force: true })
    else await replaceFile(path, text)
  }
}

/**
 * Makes a configuration live in a running Asterisk: writes what differs, reloads only that, and asks afterwards
 * whether it is in force: a reload may answer "reloaded" and leave everything as it was, so its answer alone is not
 * believed. Throws PbxError `configuration_rejected`; the files before are then in place and in force again.
 */
export async function applyConfiguration(
  ami: Pick<AmiClient, 'action' | 'list'>,
  folder: InstanceFolder,
  configuration: Configuration,
): Promise<AppliedConfiguration> {
  const before = await differingFiles(folder, configuration)
  const changed = [...before.keys()]
  // Killed between writing and reloading, we would find the files right and the PBX behind them.
  const inStep = (await revisionInForce(ami)) === (await revisionOnDisk(folder))
  const toReload = inStep ? changed : [...reloadedBy.keys()]
  const logFrom = await sizeOf(folder.messagesFile)
  const waitedFor = await restartNeededFor(folder)
  const restartNeeded = [
    ...new Set([...waitedFor, ...changed.filter((name) => !reloadedBy.has(name))]),
  ]
  try {
    // Before the files: killed in between, we would find them right and never know that they are not in force.
    await noteRestartNeeded(folder, restartNeeded)
    await writeFiles(
      folder,
      changed.map((name) => [name, configuration.files.get(name) ?? ''] as const),
    )
    await reload(ami, toReload)
    await verify(ami, configuration)
  } catch (error) {
    const said = await complaint(folder, logFrom)
    await writeFiles(folder, before)
    await noteRestartNeeded(folder, waitedFor)
    await reload(ami, toReload).catch(() => {
      // A PBX that is gone reads the files when it comes back.
    })
    if (error instanceof PbxError && error.code === 'configuration_rejected') {
      const why = said === '' ? error.message : `${error.message} It said: ${said}`
      throw new PbxError('configuration_rejected', why, { cause: error })
    }
    throw error
  }
  return { revision: configuration.revision, changed, restartNeeded }
}

/** Kept on disk, for an Offhook that is killed before the restart. */
async function restartNeededFor(folder: InstanceFolder): Promise<readonly string[]> {
  const text = await readFile(folder.restartNeededFile, 'utf8').catch(() => '')
  return text.split('\n').filter((name) => name !== '')
}

async function noteRestartNeeded(folder: InstanceFolder, names: readonly string[]): Promise<void> {
  if (names.length === 0) await rm(folder.restartNeededFile, { force: true })
  else await replaceFile(folder.restartNeededFile, `${names.join('\n')}\n`)
}

/** In the order of the table: first what calls are led to, last the dialplan that leads them, with the marker. */
async function reload(ami: Pick<AmiClient, 'action'>, files: readonly string[]): Promise<void> {
  for (const [file, module] of reloadedBy) {
    if (!files.includes(file)) continue
    await ami.action('Reload', { Module: module }).catch((error: unknown) => {
      if (!(error instanceof PbxError) || error.code !== 'refused') throw error
      throw new PbxError('configuration_rejected', `The PBX did not take the new ${file}.`)
    })
  }
}

async function verify(
  ami: Pick<AmiClient, 'action' | 'list'>,
  { revision, files }: Configuration,
): Promise<void> {
  if ((await revisionInForce(ami)) !== revision) {
    throw new PbxError('configuration_rejected', 'The PBX did not take the new extensions.conf.')
  }
  const wanted = endpointsIn(files.get('pjsip.conf') ?? '')
  // The SIP stack works a reload off in its own time.
  for (let tries = 1; ; tries++) {
    const there = await endpoints(ami)
    const missing = [...wanted].filter((name) => !there.has(name))
    if (missing.length === 0) return
    if (tries === 20) {
      const names = missing.slice(0, 5).join(', ')
      throw new PbxError('configuration_rejected', `The PBX did not take the endpoints ${names}.`)
    }
    await sleep(50)
  }
}

const revisionInForce = async (ami: Pick<AmiClient, 'action'>): Promise<string> =>
  amiField(await ami.action('Getvar', { Variable: revisionVariable }), 'Value')

async function revisionOnDisk(folder: InstanceFolder): Promise<string | undefined> {
  const dialplan = await readFile(join(folder.etc, 'extensions.conf'), 'utf8').catch(() => '')
  return new RegExp(`^${revisionVariable} = (\\S+)$`, 'm').exec(dialplan)?.[1]
}

async function endpoints(ami: Pick<AmiClient, 'list'>): Promise<Set<string>> {
  try {
    const found = await ami.list('PJSIPShowEndpoints')
    return new Set(found.map((e) => amiField(e, 'ObjectName')))
  } catch (error) {
    // "No endpoints found" is an error to Asterisk.
    if (error instanceof PbxError && error.code === 'refused') return new Set()
    throw error
  }
}

const endpointsIn = (pjsip: string): Set<string> =>
  new Set([...pjsip.matchAll(/^\[([^\]]+)\]\ntype = endpoint$/gm)].map((m) => m[1] ?? ''))

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => ({ size: 0 }))).size
}

/** The first complaint about configuration that Asterisk logged since; '' when it said nothing. */
async function complaint(folder: InstanceFolder, from: number): Promise<string> {
  const file = await open(folder.messagesFile, 'r').catch(() => undefined)
  if (!file) return ''
  await using log = file
  const { buffer, bytesRead } = await log.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, from)
  const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
  const line = lines.find((l) => /(ERROR|WARNING)\[.*(config|pbx|sorcery|queue|voicemail)/.test(l))
  return line?.replace(/^.*?(ERROR|WARNING)\[[^\]]*\](\[[^\]]*\])?:?\s*/, '') ?? ''
}
