import { execFile } from 'node:child_process'
import { access, readFile, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { moduleNames } from '#server/pbx/asterisk/config/modules.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

const run = promisify(execFile)

/** CEL by res_cdrel_custom and AMI's advanced event filters, on which everything rests, came in this line. */
const oldestMajor = 20

/** An Asterisk program that can be started for any number of instances. */
export interface AsteriskInstallation {
  /** `22.10.1` */
  readonly version: string
  /** What to put before Asterisk's own arguments; one or several words. */
  readonly command: readonly string[]
  /** Folder with the `.so` files. */
  readonly modules: string
  /** Folder with `documentation` and `sounds/en`. */
  readonly data: string
}

const script = resolve(import.meta.dirname, '../../../scripts/get-asterisk.sh')

const exists = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

const hasAllModules = async (folder: string): Promise<boolean> =>
  (await Promise.all(moduleNames.map((name) => exists(join(folder, name))))).every(Boolean)

/** The tree that scripts/get-asterisk.sh made at `root`, or undefined where it is absent, half-made or too old. */
async function treeAt(root: string): Promise<AsteriskInstallation | undefined> {
  let stamp: string
  try {
    stamp = await readFile(join(root, 'offhook-asterisk.stamp'), 'utf8')
  } catch {
    return undefined
  }
  const entry = (key: string) => new RegExp(`^${key}=(.+)$`, 'm').exec(stamp)?.[1]
  const [version, loader, libraries] = [entry('version'), entry('loader'), entry('libraries')]
  if (!version || !loader || !libraries) return undefined
  const modules = join(root, libraries, 'asterisk', 'modules')
  if (!(await hasAllModules(modules))) return undefined
  // Without --argv0 a `core restart` would start the loader with Asterisk's arguments and end the PBX for good.
  const command = [
    join(root, loader),
    '--argv0',
    '"$0"',
    '--library-path',
    join(root, libraries),
    join(root, 'usr/sbin/asterisk'),
  ]
  return { version, command, modules, data: join(root, 'usr/share/asterisk') }
}

/** The Asterisk on the PATH that will do, or a sentence on each that will not. */
async function onThePath(searchPath: string): Promise<AsteriskInstallation | readonly string[]> {
  const unfit: string[] = []
  for (const folder of searchPath.split(delimiter).filter((f) => f !== '')) {
    const program = join(folder, 'asterisk')
    if (!(await stat(program).catch(() => undefined))?.isFile()) continue
    const printed = await run(program, ['-V']).catch(() => undefined)
    const version = /^Asterisk (?:certified\/)?([0-9][0-9.]*)/.exec(printed?.stdout ?? '')?.[1]
    if (!version) continue
    if (Number.parseInt(version, 10) < oldestMajor) {
      unfit.push(`${program} is version ${version}, older than ${oldestMajor}.`)
      continue
    }
    const found = await packagedParts()
    if (found) return { version, command: [program], ...found }
    unfit.push(`${program} lacks modules or documentation that Offhook needs.`)
  }
  return unfit
}

/** Where Debian, Fedora and `make install` put modules and sounds. All modules must be there, else the tree is better. */
async function packagedParts(): Promise<
  Pick<AsteriskInstallation, 'modules' | 'data'> | undefined
> {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
  const data = ['/usr/share/asterisk', '/var/lib/asterisk']
  for (const libraries of [`/usr/lib/${triplet}`, '/usr/lib64', '/usr/lib', '/usr/local/lib']) {
    const modules = join(libraries, 'asterisk', 'modules')
    if (!(await hasAllModules(modules))) continue
    for (const folder of data) {
      if (await exists(join(folder, 'documentation'))) return { modules, data: folder }
    }
  }
  return undefined
}

/**
 * An Asterisk that will do: the tree at `root`, else one on the PATH (version 20 or later, with all our modules),
 * else scripts/get-asterisk.sh makes the tree (about ten seconds, told line by line to `onProgress`).
 * Throws PbxError `asterisk_missing` with one sentence when none can be had.
 */
export async function findAsterisk(options: {
  readonly root: string
  readonly searchPath?: string
  readonly onProgress?: (line: string) => void
  readonly signal?: AbortSignal
}): Promise<AsteriskInstallation> {
  const tree = await treeAt(options.root)
  if (tree) return tree
  const found = await onThePath(options.searchPath ?? process.env.PATH ?? '')
  if ('version' in found) return found
  options.onProgress?.('Getting Asterisk (about 17 MB) …')
  try {
    await run('bash', [script, options.root], { signal: options.signal })
  } catch (error) {
    options.signal?.throwIfAborted()
    const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1)
    const why = said?.replace(/^get-asterisk: /, '') || (error as Error).message
    const message = [`There is no Asterisk here: ${why}.`, ...found].join(' ')
    throw new PbxError('asterisk_missing', message, { cause: error })
  }
  const made = await treeAt(options.root)
  if (made) return made
  throw new PbxError('asterisk_missing', `The Asterisk tree at ${options.root} is not complete.`)
}
