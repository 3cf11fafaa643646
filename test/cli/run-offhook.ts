import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectFolder } from '#server/config.ts'

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface OffhookRun extends AsyncDisposable {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Promise<Outcome>
}

/** Settings of the person who runs the tests must not reach the command. */
function environment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = Object.entries(process.env).filter(([name]) => !name.startsWith('OFFHOOK_'))
  return { ...Object.fromEntries(foreign), OFFHOOK_DEMO_PBX: 'off', OFFHOOK_PORT: '0', ...more }
}

/** Starts the `offhook` command as a process of its own; killed when disposed of. */
export function startCommand(args: readonly string[], env: NodeJS.ProcessEnv): OffhookRun {
  const child = spawn(process.execPath, [join(projectFolder, 'server/main.ts'), ...args], {
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }))
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Runs the `offhook` command to its end. */
export async function runCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Outcome> {
  await using run = startCommand(args, env)
  return await run.ended
}

export interface Folder extends AsyncDisposable {
  readonly path: string
}

export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'offhook-cli-'))
  return {
    path,
    [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }),
  }
}
