/**
 * Makes `npm start`, `npm test` and the other scripts work in a fresh clone: installs what package-lock.json
 * says when node_modules does not match it. The pinned npm package `node` then puts Node 24 first on the PATH
 * of the scripts, whatever Node the machine has.
 *
 * Plain JavaScript without dependencies, because it runs on the machine's own Node (20 or newer) before
 * anything is installed. It is a script of its own (`prestart`, `pretest`, …) and not the first half of
 * `start`: a shell remembers where it found `node`, and would go on with the old one.
 *
 * Writes to stderr only: `npm run -s offhook -- derive` has its events on stdout.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const networkErrors =
  /\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|EIDLETIMEOUT|ERR_SOCKET_TIMEOUT)\b/

/** The packages of a lock file by folder, or null where the file is missing or torn. */
function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(join(root, lockFile), 'utf8')).packages
  } catch {
    return null
  }
}

/**
 * True when every package of package-lock.json is installed in its version. npm writes its hidden lock file
 * last, so an installation that was killed half-way does not match. Optional packages may be missing: they
 * are builds for other platforms.
 */
function installed() {
  const wanted = packagesOf('package-lock.json')
  const present = packagesOf('node_modules/.package-lock.json')
  if (wanted === null || present === null) return false
  if (!existsSync(join(root, 'node_modules/.bin/node'))) return false
  return Object.entries(wanted).every(([folder, { version, optional }]) => {
    if (folder === '') return true
    const found = present[folder]?.version
    return found === undefined ? optional === true : found === version
  })
}

function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** The process id in a lock file; null when the file has gone meanwhile. */
function holderOf(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'))
  } catch {
    return null
  }
}

/**
 * Takes the lock that keeps two commands started at once from deleting each other's node_modules, and returns
 * the path to remove afterwards. A lock whose process was killed is taken over. The file appears by link(),
 * so it is never seen without its process id.
 */
function takeLock() {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16)
  const lock = join(tmpdir(), `offhook-set-up-${name}.pid`)
  const mine = `${lock}.${process.pid}`
  writeFileSync(mine, String(process.pid))
  try {
    for (;;) {
      try {
        linkSync(mine, lock)
        return lock
      } catch (error) {
        if (error.code !== 'EEXIST') throw error
      }
      const holder = holderOf(lock)
      if (holder !== null && !alive(holder)) rmSync(lock, { force: true })
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    }
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Runs `npm ci` with the npm that started us; returns null, or one sentence that says why it failed. */
function install() {
  const npm = process.env.npm_execpath
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  const { status, error, stdout, stderr } = spawnSync(
    command,
    [
      ...first,
      'ci',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      '--fetch-retries=1',
      '--fetch-retry-mintimeout=1000',
    ],
    { cwd: root, encoding: 'utf8' },
  )
  if (error !== undefined) return `npm could not be run (${error.message}).`
  if (status === 0) {
    return installed()
      ? null
      : 'npm ci ended without an error, yet Node 24 is missing from node_modules: are install scripts switched off (npm config get ignore-scripts)?'
  }
  const output = `${stderr}\n${stdout}`
  const unreachable = networkErrors.exec(output)
  if (unreachable !== null) {
    return `the npm registry cannot be reached (${unreachable[1]}): check the network and "npm config get registry".`
  }
  const lines = output.split('\n').filter((line) => line.startsWith('npm error'))
  return `npm ci failed:\n${lines.slice(0, 8).join('\n')}`
}

function main() {
  if (installed()) return
  const lock = takeLock()
  try {
    if (installed()) return
    process.stderr.write('Installing dependencies, once; about half a minute …\n')
    const failure = install()
    if (failure === null) return
    process.stderr.write(`Offhook cannot be set up: ${failure}\n`)
    process.exitCode = 1
  } finally {
    rmSync(lock, { force: true })
  }
}

main()
