import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { open, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { InstanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

/**
 * One run of Asterisk. It is not tied to us: when Offhook is killed, calls go on, and the next Offhook finds the
 * process by its pid file and adopts it.
 */
export interface AsteriskProcess {
  readonly pid: number
  /** Found running, not started by us. */
  readonly adopted: boolean
  /** Settles when the process is gone, whoever ended it; with a sentence on how. */
  readonly gone: Promise<string>
}

/** How long Asterisk may take to hang up its calls, write their last rows and leave. */
const stopGraceMs = 10_000

/** The pid of a living Asterisk of this very folder, or null. A pid alone proves nothing: pids are used again. */
export async function findRunning(folder: InstanceFolder): Promise<number | null> {
  const text = await readFile(folder.pidFile, 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  return pid > 1 && (await isOurs(pid, folder)) ? pid : null
}

async function isOurs(pid: number, folder: InstanceFolder): Promise<boolean> {
  // Also empty for a zombie: it is gone.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return commandLine.split('\0').includes(folder.conf)
}

/** Watches a process that an earlier Offhook started; it is not our child, so the kernel will not tell us of its end. */
export function adopt(pid: number, folder: InstanceFolder): AsteriskProcess {
  const gone = (async () => {
    while (await isOurs(pid, folder)) await sleep(500, undefined, { ref: false })
    return 'it ended'
  })()
  return { pid, adopted: true, gone }
}

/**
 * Starts Asterisk on the configuration in its folder; does not wait until it is booted.
 * Throws PbxError `port_in_use` or `start_failed`.
 */
export async function startProcess(
  folder: InstanceFolder,
  ports: { readonly sip: { readonly host: string; readonly port: number }; readonly ami: number },
): Promise<AsteriskProcess> {
  await checkPorts(ports)
  // What a killed one left: Asterisk would take the socket for a running one.
  await rm(folder.pidFile, { force: true })
  await rm(folder.pidFile.replace(/\.pid$/, '.ctl'), { force: true })
  // None runs, and whichever starts next reads every file.
  await rm(folder.restartNeededFile, { force: true })
  await using output = await open(folder.outputFile, 'w', 0o600)
  const child = spawn(folder.wrapper, ['-C', folder.conf, '-f', '-n', '-q'], {
    // A session of its own: Ctrl-C in our terminal must not reach it, stopping is our decision.
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
    cwd: folder.path,
    env: { PATH: process.env.PATH ?? '', HOME: folder.path, LANG: 'C.UTF-8', TZ: process.env.TZ },
  })
  child.unref()
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `it ended with code ${code}` : `it was killed by ${signal}`),
    )
  })
  await started(child)
  return { pid: child.pid as number, adopted: false, gone }
}

async function started(child: ChildProcess): Promise<void> {
  if (child.pid !== undefined) return
  const [error] = (await once(child, 'error')) as [Error]
  throw new PbxError('start_failed', `Asterisk could not be started: ${error.message}.`, {
    cause: error,
  })
}

/** Asks Asterisk to leave, which hangs up its calls and writes their end; kills it when it does not. */
export async function stopProcess(running: AsteriskProcess): Promise<void> {
  signalProcess(running.pid, 'SIGTERM')
  if (await goneWithin(running, stopGraceMs)) return
  signalProcess(running.pid, 'SIGKILL')
  await goneWithin(running, stopGraceMs)
}

async function goneWithin(running: AsteriskProcess, ms: number): Promise<boolean> {
  const patience = new AbortController()
  const gone = await Promise.race([
    running.gone.then(() => true),
    sleep(ms, false, { signal: patience.signal }).catch(() => false),
  ])
  patience.abort()
  return gone
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The last words of an Asterisk that did not come up. */
export async function lastWords(folder: InstanceFolder): Promise<string> {
  const texts = await Promise.all(
    [folder.outputFile, folder.messagesFile].map((f) => readFile(f, 'utf8').catch(() => '')),
  )
  const lines = texts.flatMap((text) => text.trim().split('\n'))
  return lines.filter((line) => /error|unable|fail/i.test(line)).at(-1) ?? lines.at(-1) ?? ''
}

/** Asterisk boots without a port that it cannot have, and says so in its log only. */
async function checkPorts(ports: Parameters<typeof startProcess>[1]): Promise<void> {
  const { host, port } = ports.sip
  if (!(await canListenTcp(ports.ami))) {
    throw new PbxError('port_in_use', `The port ${ports.ami} (PBX manager, TCP) is in use.`)
  }
  if (!(await canListenUdp(host, port))) {
    throw new PbxError('port_in_use', `The port ${port} (SIP, UDP) is in use.`)
  }
}

async function canListenTcp(port: number): Promise<boolean> {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true })
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (free) await new Promise((resolve) => server.close(resolve))
  return free
}

async function canListenUdp(host: string, port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  socket.bind({ port, address: host, exclusive: true })
  const free = await once(socket, 'listening').then(
    () => true,
    () => false,
  )
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  return free
}
