/**
 * The `offhook` command: finds the command, hands it the world, turns what it throws into one sentence and an exit
 * code. The only file that exits.
 *
 * Exit codes: 0 done; 1 it could not be done, stderr says why; 2 it was not understood; 130 it was interrupted.
 */

import { once } from 'node:events'
import { nearestName } from '#contracts/nearest-name.ts'
import { version } from '#server/app.ts'
import type { Command, CommandIo } from '#server/cli/command.ts'
import { commands, helpText } from '#server/cli/commands.ts'
import { projectFolder, readConfig } from '#server/config.ts'
import { boundHeap } from '#server/heap.ts'

/** Within this time a second signal is the same key press: npm passes on what the terminal has sent already. */
const samePressMs = 1_000

/** What a shell gives a program that Ctrl-C ended. */
const interrupted = 130

const hangUp: readonly NodeJS.Signals[] = ['SIGHUP']

/** The first of these signals asks for an orderly end; a second one, later, ends the process at once. */
function abortOn(signals: readonly NodeJS.Signals[]): AbortController {
  const abort = new AbortController()
  let first: number | null = null
  const onSignal = () => {
    if (first === null) {
      first = performance.now()
      abort.abort()
    } else if (performance.now() - first > samePressMs) {
      process.stderr.write('Stopped without waiting for what was under way.\n')
      process.exit(interrupted)
    }
  }
  for (const signal of signals) process.on(signal, onSignal)
  return abort
}

interface Output {
  readonly write: CommandIo['write']
  /** Aborted when its reader has gone away, with the error that told so. */
  readonly lost: AbortSignal
}

/** stdout as a command sees it. A reader that has gone away (`… | head`) asks for an orderly end, too. */
function openOutput(abort: AbortController): Output {
  const lost = new AbortController()
  process.stdout.on('error', (error) => {
    lost.abort(error)
    abort.abort()
  })
  // Nobody is left to be told.
  process.stderr.on('error', () => undefined)
  const write = async (text: string) => {
    if (lost.signal.aborted) abort.signal.throwIfAborted()
    if (process.stdout.write(text)) return
    await once(process.stdout, 'drain', { signal: lost.signal }).catch(() =>
      abort.signal.throwIfAborted(),
    )
  }
  return { write, lost: lost.signal }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** What is wrong in one sentence; with OFFHOOK_LOG_LEVEL=debug the stack and the causes too. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (process.env.OFFHOOK_LOG_LEVEL !== 'debug') return error.message
  const cause = error.cause === undefined ? '' : `\ncaused by ${explain(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

/** Says what went wrong; the exit code. */
function failed(name: string, error: unknown, io: CommandIo): number {
  const code = codeOf(error)
  if (code.startsWith('ERR_PARSE_ARGS')) {
    // Node goes on with how to pass what begins with a dash, which nobody meant.
    const [what] = explain(error).split('. ')
    io.warn(`offhook ${name}: ${what}; "offhook ${name} --help" says what it takes`)
    return 2
  }
  io.warn(`offhook ${name}: ${explain(error)}`)
  return code === 'usage' ? 2 : 1
}

/** `help webhooks` is `webhooks --help`. */
function asked(args: readonly string[]): readonly string[] {
  const [first, of = '-'] = args
  return first === 'help' && of !== 'help' && !of.startsWith('-') ? [of, '--help'] : args
}

async function run(args: readonly string[]): Promise<number> {
  const [name = '--help', ...rest] = asked(args)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  const abort = abortOn(['SIGINT', 'SIGTERM', ...(command?.endsWithTerminal ? hangUp : [])])
  const { write, lost } = openOutput(abort)
  const io: CommandIo = {
    write,
    warn: (line) => void process.stderr.write(`${line}\n`),
    config: () => readConfig(process.env),
    terminal: process.stdout.isTTY === true,
    columns: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
    signal: abort.signal,
  }
  try {
    return await answer(name, command, rest, io)
  } catch (error) {
    if (error !== io.signal.reason) return failed(name, error, io)
    // Whoever pressed Ctrl-C, or read enough, knows that it was interrupted.
    if (!lost.aborted) return interrupted
    return codeOf(lost.reason) === 'EPIPE' ? 0 : 1
  }
}

async function answer(
  name: string,
  command: Command | undefined,
  args: readonly string[],
  io: CommandIo,
): Promise<number> {
  if (name === '--help' || name === '-h' || name === 'help') {
    await io.write(helpText())
    return 0
  }
  if (name === '--version' || name === '-V') {
    await io.write(`${version}\n`)
    return 0
  }
  if (command === undefined) {
    const nearest = nearestName(name, Object.keys(commands))
    const hint = nearest === null ? 'offhook --help lists them' : `did you mean ${nearest}?`
    io.warn(`offhook: there is no command "${name}"; ${hint}`)
    return 2
  }
  if (args.includes('--help') || args.includes('-h')) {
    await io.write(command.help)
    return 0
  }
  await command.run(args, io)
  return 0
}

/** npm runs its scripts in the project folder; paths that somebody gives are meant from where that was. */
function goWhereNpmWasCalled(): void {
  const { INIT_CWD: from } = process.env
  if (from === undefined || process.cwd() !== projectFolder) return
  try {
    process.chdir(from)
  } catch {
    // It is gone, or not ours to enter: paths that are given in full work all the same.
  }
}

// Whatever is made, by us or by an Asterisk that we start, holds calls or secrets: for its owner alone.
process.umask(0o077)
boundHeap()
goWhereNpmWasCalled()
process.exitCode = await run(process.argv.slice(2))
// A command has closed what it opened when it returns; what still keeps the process up would be a leak, and the
// person at the terminal should not wait for it.
process.exit()
