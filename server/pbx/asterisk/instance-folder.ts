import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

/** Where everything of one Asterisk lives. Two folders, two Asterisks. */
export interface InstanceFolder {
  readonly path: string
  readonly etc: string
  readonly conf: string
  /** A script that is Asterisk. Only started by its own path does a `core restart` find back to it. */
  readonly wrapper: string
  readonly pidFile: string
  readonly celFile: string
  readonly queueLogFile: string
  readonly recordings: string
  readonly voicemail: string
  readonly messagesFile: string
  readonly outputFile: string
  /** Names of the files that changed under an Asterisk that only reads them at its start. */
  readonly restartNeededFile: string
}

const subfolders = [
  'etc',
  'varlib',
  'data/sounds',
  'db',
  'keys',
  'agi',
  'spool/voicemail',
  'spool/monitor',
  'spool/tmp',
  'spool/outgoing',
  'run',
  'log/cel-custom',
  'moh',
]

export const instanceFolder = (path: string): InstanceFolder => ({
  path,
  etc: join(path, 'etc'),
  conf: join(path, 'etc', 'asterisk.conf'),
  wrapper: join(path, 'asterisk'),
  pidFile: join(path, 'run', 'asterisk.pid'),
  celFile: join(path, 'log', 'cel-custom', 'cel.csv'),
  queueLogFile: join(path, 'log', 'queue_log'),
  recordings: join(path, 'spool', 'monitor'),
  voicemail: join(path, 'spool', 'voicemail'),
  messagesFile: join(path, 'log', 'messages'),
  outputFile: join(path, 'log', 'output'),
  restartNeededFile: join(path, 'restart-needed'),
})

/** Makes what is missing; leaves records, messages and recordings alone. Throws PbxError `folder_unwritable`. */
export async function prepareInstanceFolder(
  folder: InstanceFolder,
  asterisk: AsteriskInstallation,
): Promise<void> {
  try {
    for (const sub of subfolders) {
      await mkdir(join(folder.path, sub), { recursive: true, mode: 0o700 })
    }
    const words = asterisk.command.map((word) => (word === '"$0"' ? word : shellWord(word)))
    await replaceFile(folder.wrapper, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`)
    await chmod(folder.wrapper, 0o700)
    // Without its documentation Asterisk loads none of the modules that have configuration.
    await link(join(asterisk.data, 'documentation'), join(folder.path, 'data', 'documentation'))
    await link(join(asterisk.data, 'sounds', 'en'), join(folder.path, 'data', 'sounds', 'en'))
    // Ten seconds of nothing, in µ-law: somebody on hold hears that he is not forgotten by silence only.
    await replaceFile(join(folder.path, 'moh', 'silence.ulaw'), Buffer.alloc(80_000, 0xff))
  } catch (error) {
    throw new PbxError(
      'folder_unwritable',
      `The PBX folder ${folder.path} cannot be written: ${(error as Error).message}.`,
      { cause: error },
    )
  }
}

/** The secret of the manager account: made once per instance, readable by its owner only, never logged. */
export async function managerSecret(folder: InstanceFolder): Promise<string> {
  const file = join(folder.path, 'manager-secret')
  try {
    const kept = (await readFile(file, 'utf8')).trim()
    if (/^[0-9a-f]{48}$/.test(kept)) return kept
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secret = randomBytes(24).toString('hex')
  await replaceFile(file, `${secret}\n`)
  return secret
}

/** Writes beside and renames: whoever reads, also after a crash or on a full disk, sees the old file or the new one. */
export async function replaceFile(path: string, content: string | Buffer): Promise<void> {
  const beside = `${path}.new`
  try {
    await writeFile(beside, content, { mode: 0o600 })
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

const shellWord = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

async function link(target: string, path: string): Promise<void> {
  await rm(path, { force: true })
  await symlink(target, path)
}
