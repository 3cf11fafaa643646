/** Runs sipp (Debian package sip-tester), which plays callers and phones, as child processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { projectFolder } from '#server/config.ts'
import { freeMediaPort, freeUdpPort } from '#test/support/free-port.ts'
import {
  type CallerSetup,
  callDone,
  callerScenario,
  phoneScenario,
  registerScenario,
  type Step,
} from '#test/support/sipp-scenario.ts'
import { waitUntilOrEnd } from '#test/support/wait-until.ts'

/** A caller or phone at work. Disposing stops it, whatever it is doing, and removes its files. */
export interface Sipp extends AsyncDisposable {
  /** Its SIP port on 127.0.0.1. */
  readonly port: number
  /** Ends when its calls are over; rejects, with sipp's own trace, when one went otherwise than the steps say. */
  readonly finished: Promise<void>
}

export interface RunOptions {
  readonly port?: number
  /** How many calls it makes or must take; 1 unless told. */
  readonly calls?: number
  /** Calls per second, for several calls. */
  readonly rate?: number
  /** When it fails if its calls are not over by then; 60 s unless told. */
  readonly timeoutSeconds?: number
}

/** Starts a call; the promise is fulfilled when sipp runs, not when the call is over. */
export async function startCaller(
  setup: CallerSetup,
  steps: readonly Step[],
  options: RunOptions = {},
): Promise<Sipp> {
  return runCalls(callerScenario(setup, steps), setup.pbxPort, options)
}

/** Starts a phone, or the carrier, that waits to be called; it listens when the promise is fulfilled. */
export async function startPhone(
  pbxPort: number,
  steps: readonly Step[],
  { calls = 1, ...options }: RunOptions = {},
): Promise<Sipp> {
  const child = await spawnSipp(phoneScenario(pbxPort, steps), options, [])
  const phone = asSipp(child, callsTaken(child, calls, options.timeoutSeconds ?? 60))
  try {
    await waitUntilOrEnd(() => isBound(phone.port), child.exited, {
      what: `sipp listens on port ${phone.port}`,
    })
  } catch (error) {
    const told = await failure(child, (error as Error).message)
    await phone[Symbol.asyncDispose]()
    throw told
  }
  return phone
}

/**
 * Registers `user` from `port`, where its phone must then be started: a PBX may take the address that the request came
 * from for the contact (behind NAT it must). Fulfilled when the PBX has accepted it.
 */
export async function registerPhone(
  pbxPort: number,
  user: { readonly extension: string; readonly secret: string },
  port: number,
): Promise<void> {
  const scenario = registerScenario(pbxPort, user.extension, user.secret, port)
  await using registration = await runCalls(scenario, pbxPort, { port })
  await registration.finished
}

/** A run that makes its calls and ends by itself. */
async function runCalls(scenario: string, pbxPort: number, options: RunOptions): Promise<Sipp> {
  const { calls = 1, rate = 10 } = options
  const child = await spawnSipp(scenario, options, [
    ...['-m', String(calls), '-r', String(rate)],
    `127.0.0.1:${pbxPort}`,
  ])
  const finished = child.exited.then(async (how) => {
    if (how !== 'code 0') throw await failure(child, how)
  })
  return asSipp(child, finished)
}

/** A phone runs until it is stopped: its calls are over when it has logged so many. */
async function callsTaken(sipp: SippChild, calls: number, timeoutSeconds: number): Promise<void> {
  const outcome = await waitUntilOrEnd(
    async () => {
      if ((await readLog(sipp, 'errors.log')).includes('Aborting call')) return 'aborted'
      const done = (await readLog(sipp, 'calls.log')).split(callDone).length - 1
      return done >= calls && 'done'
    },
    sipp.exited,
    { what: `the phone has had ${calls} calls`, timeoutMs: timeoutSeconds * 1_000 },
  ).catch((error: Error) => error.message)
  if (outcome !== 'done') throw await failure(sipp, outcome)
}

interface SippChild {
  readonly process: ChildProcess
  readonly port: number
  readonly folder: string
  /** How it ended: `code 0`, `SIGKILL`. */
  readonly exited: Promise<string>
}

function asSipp(child: SippChild, finished: Promise<void>): Sipp {
  // Who disposes of a phone without asking how it went must not get an unhandled rejection.
  finished.catch(() => {})
  return {
    port: child.port,
    finished,
    async [Symbol.asyncDispose]() {
      child.process.kill('SIGKILL')
      await child.exited
      await finished.catch(() => {})
      await rm(child.folder, { recursive: true, force: true })
    },
  }
}

async function spawnSipp(
  scenario: string,
  { port, timeoutSeconds = 60 }: RunOptions,
  more: readonly string[],
): Promise<SippChild> {
  const sippPath = await findSipp()
  const [sipPort, mediaPort] = [port ?? (await freeUdpPort()), await freeMediaPort()]
  const folder = await mkdtemp(join(tmpdir(), 'offhook-sipp-'))
  await writeFile(join(folder, 'scenario.xml'), scenario)
  await writeFile(join(folder, 'tone.ulaw'), oneSecondOfTone())
  const child = spawn(
    sippPath,
    [
      ...['-sf', 'scenario.xml', '-i', '127.0.0.1', '-p', String(sipPort), '-nostdin'],
      ...['-mi', '127.0.0.1', '-mp', String(mediaPort)],
      ...['-timeout', `${timeoutSeconds}s`, '-timeout_error'],
      ...['-trace_err', '-error_file', 'errors.log', '-trace_msg', '-message_file', 'messages.log'],
      ...['-trace_logs', '-log_file', 'calls.log'],
      ...more,
    ],
    // Its screen goes nowhere: what matters is in the files, and a full pipe would stop it.
    { cwd: folder, stdio: 'ignore', env: { ...process.env, TERM: 'dumb' } },
  )
  const exited = once(child, 'exit').then(([code, signal]) => signal ?? `code ${code}`)
  return { process: child, port: sipPort, folder, exited }
}

async function failure(sipp: SippChild, how: string): Promise<Error> {
  const errors = (await readLog(sipp, 'errors.log')).slice(-6_000)
  const messages = (await readLog(sipp, 'messages.log')).slice(-6_000)
  return new Error(`sipp on port ${sipp.port}: ${how}\n${errors}\n${messages}`)
}

const readLog = (sipp: SippChild, file: string) =>
  readFile(join(sipp.folder, file), 'utf8').catch(() => '')

let found: Promise<string> | null = null

/** sipp on the PATH, else where `scripts/get-sipp.sh` puts it. */
function findSipp(): Promise<string> {
  found ??= (async () => {
    const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
    const places = [...folders, join(projectFolder, '.offhook/tools/sipp')]
    for (const folder of places) {
      const path = join(folder, 'sipp')
      const there = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (there) return path
    }
    throw new Error('There is no sipp: run scripts/get-sipp.sh, as npm test does.')
  })()
  return found
}

/** True when some process listens on the UDP port of 127.0.0.1 (the kernel's table names ports in hexadecimal). */
async function isBound(port: number): Promise<boolean> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const table = await readFile('/proc/net/udp', 'utf8')
  return table.split('\n').some((line) => line.trim().split(/\s+/)[1] === local)
}

/** 8000 samples of a 400 Hz tone, µ-law (G.711): sipp plays the file again and again. */
function oneSecondOfTone(): Buffer {
  return Buffer.from(
    Array.from({ length: 8_000 }, (_, i) =>
      muLaw(Math.round(8_000 * Math.sin((2 * Math.PI * 400 * i) / 8_000))),
    ),
  )
}

/** One 16-bit sample → its µ-law byte: sign, 3 bits of segment, 4 bits of step, all inverted. */
function muLaw(sample: number): number {
  const biased = Math.min(Math.abs(sample), 32_635) + 132
  const segment = Math.floor(Math.log2(biased)) - 7
  const step = (biased >> (segment + 3)) & 0x0f
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | step) & 0xff
}
