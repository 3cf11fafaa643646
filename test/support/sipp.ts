/** Runs sipp (Debian package sip-tester), which plays callers and phones, as child processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { projectFolder } from '#server/config.ts'
import { freeUdpPort } from '#test/support/free-port.ts'
import {
  type CallerSetup,
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
  /** How many calls it makes or takes; 1 unless told. */
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
  return run(callerScenario(setup, steps), options, [`127.0.0.1:${setup.pbxPort}`])
}

/** Starts a phone, or the carrier, that waits to be called; it listens when the promise is fulfilled. */
export async function startPhone(
  pbxPort: number,
  steps: readonly Step[],
  options: RunOptions = {},
): Promise<Sipp> {
  const phone = await run(phoneScenario(pbxPort, steps), options, [])
  try {
    await waitUntilOrEnd(() => isBound(phone.port), phone.finished, {
      what: `sipp listens on port ${phone.port}`,
    })
  } catch (error) {
    await phone[Symbol.asyncDispose]()
    throw error
  }
  return phone
}

/** Registers `user` with a contact on `contactPort`; fulfilled when the PBX has accepted it. */
export async function registerPhone(
  pbxPort: number,
  user: { readonly extension: string; readonly secret: string },
  contactPort: number,
): Promise<void> {
  const scenario = registerScenario(pbxPort, user.extension, user.secret, contactPort)
  await using registration = await run(scenario, {}, [`127.0.0.1:${pbxPort}`])
  await registration.finished
}

async function run(
  scenario: string,
  { port, calls = 1, rate = 10, timeoutSeconds = 60 }: RunOptions,
  target: readonly string[],
): Promise<Sipp> {
  const sippPath = await findSipp()
  const [sipPort, mediaPort] = [port ?? (await freeUdpPort()), await freeUdpPort()]
  const folder = await mkdtemp(join(tmpdir(), 'offhook-sipp-'))
  await writeFile(join(folder, 'scenario.xml'), scenario)
  await writeFile(join(folder, 'tone.ulaw'), oneSecondOfTone())
  const child = spawn(
    sippPath,
    [
      ...['-sf', 'scenario.xml', '-i', '127.0.0.1', '-p', String(sipPort), '-nostdin'],
      ...['-mi', '127.0.0.1', '-mp', String(mediaPort), '-m', String(calls), '-r', String(rate)],
      ...['-timeout', `${timeoutSeconds}s`, '-timeout_error'],
      ...['-trace_err', '-error_file', 'errors.log', '-trace_msg', '-message_file', 'messages.log'],
      ...target,
    ],
    // Its screen goes nowhere: what matters is in the two files, and a full pipe would stop it.
    { cwd: folder, stdio: 'ignore', env: { ...process.env, TERM: 'dumb' } },
  )
  const finished = finish(child, folder)
  // Who disposes of a phone without asking how it went must not get an unhandled rejection.
  finished.catch(() => {})
  return {
    port: sipPort,
    finished,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await finished.catch(() => {})
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function finish(child: ChildProcess, folder: string): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (code === 0) return
  const tail = async (file: string) =>
    (await readFile(join(folder, file), 'utf8').catch(() => '')).slice(-6_000)
  throw new Error(
    `sipp ended with ${code ?? signal}.\n${await tail('errors.log')}\n${await tail('messages.log')}`,
  )
}

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
