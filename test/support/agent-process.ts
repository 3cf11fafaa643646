/** Runs the real `offhook agent` as a child process, to be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { projectFolder } from '#server/config.ts'

export interface AgentProcessOptions {
  readonly server: string
  readonly tokenFile: string
  readonly celPath: string
  readonly queueLogPath: string
  /** Further options of the command. */
  readonly more?: readonly string[]
  /** Options of Node, before the program. */
  readonly nodeOptions?: readonly string[]
}

export interface AgentProcess extends AsyncDisposable {
  readonly start: () => void
  /** kill -9: nothing gets a chance to be finished. */
  readonly kill: () => Promise<void>
  /** SIGTERM, and wait for the end; gives the exit code. */
  readonly stop: () => Promise<number | null>
  /** Resolves with the exit code when it ends by itself. */
  readonly ended: () => Promise<number | null>
  /** What it wrote since its first start: the last 20 KB. */
  readonly output: () => string
}

export function startAgent(options: AgentProcessOptions): AgentProcess {
  let child: ChildProcess | null = null
  let text = ''

  function start(): void {
    if (child !== null) throw new Error('The agent is running already.')
    child = spawn(
      process.execPath,
      [
        ...(options.nodeOptions ?? []),
        ...['server/main.ts', 'agent', '--server', options.server],
        ...['--token-file', options.tokenFile],
        ...['--cel', options.celPath, '--queue-log', options.queueLogPath],
        ...(options.more ?? []),
      ],
      { cwd: projectFolder, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const keep = (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-20_000)
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
  }

  async function ended(): Promise<number | null> {
    if (child === null) return null
    const running = child
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit')
    child = null
    return running.exitCode
  }

  const end = async (signal: NodeJS.Signals) => {
    child?.kill(signal)
    return await ended()
  }
  start()
  return {
    start,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    ended,
    output: () => text,
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  }
}
