/**
 * A machine beyond a line that can be cut so that nobody is told: no FIN, no RST, no ICMP, packets are gone. Two network
 * namespaces of our own with a pair of virtual interfaces between them, which need no root where the kernel lets users
 * have them. Offhook runs in the near one; Unix sockets lead to its API, and from it to receivers of the test.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cwd } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type FarReceiver, farPorts } from '#test/chaos/far-receiver.ts'
import { startRelay } from '#test/support/relay.ts'
import { waitUntilOrEnd } from '#test/support/wait-until.ts'

export interface FarHost extends AsyncDisposable {
  /** Where Offhook reaches its receivers. */
  readonly urlOf: (name: FarReceiver) => string
  readonly address: string
  /** The webhook-ids of the requests that the receiver has read, in their order. */
  readonly asked: (name: FarReceiver) => readonly string[]
  /** What a command begins with, to run at the near end of the line. */
  readonly enter: readonly string[]
  /** Lets the test reach this port of 127.0.0.1 at the near end by the same port here. */
  readonly letIn: (port: number) => Promise<void>
  /** Lets the near end reach this port of 127.0.0.1 of the test by the same port there. */
  readonly letOut: (port: number) => Promise<void>
  readonly vanish: () => Promise<void>
  readonly comeBack: () => Promise<void>
}

const near = { address: '10.77.0.1', mac: '02:00:00:00:00:01' }
const far = { address: '10.77.0.2', mac: '02:00:00:00:00:02' }

/** Null where it can be had; else why not. */
export function whyNoFarHost(): string | null {
  const tried = 'ip link set lo up && ip link add near type veth peer name far'
  try {
    execFileSync('unshare', ['-Urn', 'sh', '-c', tried], { stdio: 'pipe' })
    return null
  } catch (error) {
    return `this machine allows no network namespaces (${error instanceof Error ? error.message : error})`
  }
}

export async function startFarHost(): Promise<FarHost> {
  await using parts = new AsyncDisposableStack()
  const folder = parts.adopt(await mkdtemp(join(tmpdir(), 'offhook-far-')), (path) =>
    rm(path, { recursive: true, force: true }),
  )
  const start = async (command: readonly string[]) => {
    const child = parts.use(await startChild(command))
    return child
  }
  const program = (name: string) => [
    process.execPath,
    fileURLToPath(new URL(name, import.meta.url)),
  ]
  // Says "ready", and ends with its input.
  const keeper = await start([
    'unshare',
    '-Urn',
    'sh',
    '-c',
    'ip link set lo up && echo ready && exec cat',
  ])
  const enter = namespaceOf(keeper)
  const receiver = await start([...enter, 'unshare', '-n', ...program('far-receiver.ts')])
  const ip = async (namespace: readonly string[], ...commands: readonly string[]) => {
    for (const command of commands) await run([...namespace, 'ip', ...command.split(' ')])
  }
  const enterFar = namespaceOf(receiver)
  await ip(enter, `link add near type veth peer name far netns ${receiver.pid}`)
  await ip(enter, ...upWith('near', near, far))
  await ip(enterFar, ...upWith('far', far, near))

  let relays = 0
  const socketPath = () => join(folder, `relay-${++relays}`)
  const opened = parts.move()
  return {
    urlOf: (name) => `http://${far.address}:${farPorts[name]}/`,
    address: far.address,
    enter,
    asked: (wanted) =>
      receiver.lines().flatMap((line) => {
        const [name, id = ''] = line.split(' ')
        return name === wanted ? [id] : []
      }),
    async letIn(port) {
      const path = socketPath()
      opened.use(await startChild([...enter, ...program('relay-process.ts'), path, `${port}`]))
      opened.use(await startRelay(port, path))
    },
    async letOut(port) {
      const path = socketPath()
      opened.use(await startRelay(path, port))
      opened.use(await startChild([...enter, ...program('relay-process.ts'), `${port}`, path]))
    },
    vanish: async () => await ip(enterFar, 'link set far down'),
    comeBack: async () => await ip(enterFar, ...upWith('far', null, near)),
    [Symbol.asyncDispose]: async () => await opened.disposeAsync(),
  }
}

type End = typeof near

/** Neighbours are given, since a question about one that nobody answers would be told to the sender after seconds. */
function upWith(device: string, own: End | null, other: End): readonly string[] {
  return [
    ...(own === null
      ? []
      : [`link set ${device} address ${own.mac}`, `addr add ${own.address}/24 dev ${device}`]),
    `link set ${device} up`,
    `neigh replace ${other.address} lladdr ${other.mac} dev ${device} nud permanent`,
  ]
}

const namespaceOf = ({ pid }: Child) => [
  'nsenter',
  ...['-t', `${pid}`, '-U', '-n', '--preserve-credentials', `--wd=${cwd()}`],
]

async function run([command = '', ...rest]: readonly string[]): Promise<void> {
  await promisify(execFile)(command, rest)
}

interface Child extends AsyncDisposable {
  readonly pid: number
  /** What it has said. */
  readonly lines: () => readonly string[]
}

/** Returns when it has said "ready". */
async function startChild([command = '', ...rest]: readonly string[]): Promise<Child> {
  const child: ChildProcess = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  let unfinished = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (unfinished + text).split('\n')
    unfinished = parts.pop() ?? ''
    lines.push(...parts)
  })
  const ended = once(child, 'exit')
  await waitUntilOrEnd(() => lines.includes('ready'), ended, { what: `${rest.at(-1)} is ready` })
  return {
    pid: child.pid ?? 0,
    lines: () => lines,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
