/** Runs the real `offhook start` as a child process, to be talked to over its API, killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectFolder } from '#server/config.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { waitUntilOrEnd } from '#test/support/wait-until.ts'

export interface OffhookOptions {
  /** Further settings, `OFFHOOK_…`. The demo PBX is off unless one says otherwise. */
  readonly env?: Readonly<Record<string, string>>
  /** Is its data folder, and stays; otherwise that is a new one, which goes. */
  readonly disk?: Disk
  /** Where it runs on a network of its own. */
  readonly island?: Island
  /** How long a start may take; 60 s unless told. */
  readonly startTimeoutMs?: number
}

/** A file system that only processes see which `enter` begins. */
export interface Disk {
  readonly inside: string
  /** Its place as this process sees it. */
  readonly outside: string
  readonly enter: readonly string[]
}

/** A network that only processes are on which `enter` begins. */
export interface Island {
  readonly enter: readonly string[]
  /** Lets the test reach this port of 127.0.0.1 there by the same port here. */
  readonly letIn: (port: number) => Promise<void>
}

export interface OffhookProcess extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, the same over restarts. */
  readonly url: string
  /** Its data folder: new, and removed when disposed of. */
  readonly dataFolder: string
  /** Its process id; undefined while it does not run. */
  readonly pid: () => number | undefined
  /** Calls the API with the first API key; gives the parsed answer, throws on any status that is not 2xx. */
  readonly api: <T>(method: string, path: string, body?: unknown) => Promise<T>
  /** kill -9: nothing gets a chance to be finished. */
  readonly kill: () => Promise<void>
  /** SIGTERM, and wait for the end; gives the exit code. */
  readonly stop: () => Promise<number | null>
  /** After kill or stop: the same data folder and port again. */
  readonly start: () => Promise<void>
  /** What it wrote to stdout and stderr since its last start, also when it has ended: the last 20 KB. */
  readonly output: () => string
}

interface Running {
  readonly child: ChildProcess
  readonly output: () => string
}

/** Starts Offhook and waits until it is ready. */
export async function startOffhook(options: OffhookOptions = {}): Promise<OffhookProcess> {
  const { disk, island } = options
  const dataFolder = disk?.outside ?? (await mkdtemp(join(tmpdir(), 'offhook-data-')))
  const port = await freeTcpPort()
  const url = `http://127.0.0.1:${port}`
  await island?.letIn(port)
  const env = environment(disk?.inside ?? dataFolder, port, options.env ?? {})
  let running: Running | null = null
  let output = () => ''
  let wasKilled = false

  const leave = async () => {
    if (disk === undefined) await removeUnlessKept(dataFolder)
  }

  async function start(): Promise<void> {
    if (running !== null) throw new Error('Offhook is running already.')
    running = run([...(island?.enter ?? []), ...(disk?.enter ?? [])], env)
    output = running.output
    await ready(url, running, options.startTimeoutMs ?? 60_000)
    wasKilled = false
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    if (running === null) return null
    const { child } = running
    running = null
    child.kill(signal)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }

  const offhook: OffhookProcess = {
    url,
    dataFolder,
    pid: () => running?.child.pid,
    start,
    api: (method, path, body) => callApi(url, dataFolder, method, path, body),
    async kill() {
      await end('SIGKILL')
      wasKilled = true
    },
    stop: () => end('SIGTERM'),
    output: () => output(),
    async [Symbol.asyncDispose]() {
      // The Asterisk of an Offhook that was killed lives on, to be adopted by the next start: so there is one more.
      if (wasKilled && running === null) await start()
      await end('SIGTERM')
      await leave()
    },
  }
  try {
    await start()
  } catch (error) {
    await end('SIGKILL')
    await leave()
    throw error
  }
  return offhook
}

/** With KEEP_DATA=1 one can look at what a failed test left. */
async function removeUnlessKept(folder: string): Promise<void> {
  if (process.env.KEEP_DATA === '1') process.stderr.write(`kept: ${folder}\n`)
  else await rm(folder, { recursive: true, force: true })
}

/** Settings of the person who runs the tests must not reach the process, except which Asterisk to take. */
function environment(dataFolder: string, port: number, more: Readonly<Record<string, string>>) {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('OFFHOOK_') || name === 'OFFHOOK_ASTERISK_ROOT',
  )
  return {
    ...Object.fromEntries(own),
    OFFHOOK_DATA: dataFolder,
    OFFHOOK_PORT: String(port),
    OFFHOOK_DEMO_PBX: 'off',
    // Receivers of tests are on this machine.
    OFFHOOK_ALLOW_ADDRESSES: '127.0.0.0/8, ::1',
    ...more,
  }
}

function run(enter: readonly string[], env: NodeJS.ProcessEnv): Running {
  const [command = '', ...rest] = [...enter, process.execPath, 'server/main.ts', 'start']
  const child = spawn(command, rest, {
    cwd: projectFolder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  const keep = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-20_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  return { child, output: () => text }
}

async function ready(url: string, { child, output }: Running, timeoutMs: number): Promise<void> {
  try {
    await waitUntilOrEnd(async () => (await fetch(`${url}/readyz`)).ok, once(child, 'exit'), {
      what: 'Offhook is ready',
      timeoutMs,
    })
  } catch (error) {
    throw new Error(`Offhook did not start.\n${output()}`, { cause: error })
  }
}

async function callApi<T>(
  url: string,
  dataFolder: string,
  method: string,
  path: string,
  body: unknown,
): Promise<T> {
  const key = (await readFile(join(dataFolder, 'api-key'), 'utf8')).trim()
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as T
}
