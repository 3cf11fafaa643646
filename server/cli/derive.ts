import { stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Fact } from '#server/domain/calls/facts.ts'
import { foldRows, openChannels } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { noCalls } from '#server/domain/calls/state.ts'
import { describe } from '#server/domain/events/describe.ts'
import type { Directory } from '#server/domain/events/directory.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import { type Parsed, parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { type LogCursor, type ReadLogOptions, readLog } from '#server/pbx/asterisk/log-tail.ts'
import { parseQueueLogRow } from '#server/pbx/asterisk/queue-log-row.ts'
import { StartError } from '#server/start-error.ts'

export const deriveHelp = `offhook derive <cel.csv> [options]

Prints the events that a CEL file gives, as NDJSON in the native form, and sends nothing.
A row that cannot be read is named on stderr, and the rest goes on.
The columns that it must have are in docs/attach-an-asterisk.md.

  --queue-log <file>   read the PBX's queue_log too: positions, outcomes, restarts of the PBX
  --country <XX>       where the PBX stands; national numbers become E.164
  --trunk <name>       endpoint of a line to a carrier; may be given several times (default: guessed)
  --service <name>     name of the service in the events (default: the system name in the unique ids)
  --keep-open          leave calls open that have not ended in the file (default: close them, incomplete)
`

export interface DeriveIo {
  readonly write: (text: string) => Promise<void>
  readonly warn: (line: string) => void
  /** Aborted: it ends after the rows under way. */
  readonly signal: AbortSignal
}

/** A fixed namespace, so that the same file gives the same ids on every machine. */
const deriveNamespace = '6f66666f-6f6b-5d65-8269-766500000000'

export async function runDerive(args: readonly string[], io: DeriveIo): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'queue-log': { type: 'string' },
      country: { type: 'string' },
      trunk: { type: 'string', multiple: true },
      service: { type: 'string' },
      'keep-open': { type: 'boolean', default: false },
    },
  })
  const [celPath, ...rest] = positionals
  if (celPath === undefined || rest.length > 0) {
    throw new StartError('usage', 'it is "derive <cel.csv>", with the path of one CEL file.')
  }
  if (values.country !== undefined && !/^[A-Z]{2}$/.test(values.country)) {
    throw new StartError('usage', '--country takes two capital letters, such as AU.')
  }
  const options = { trunks: values.trunk === undefined ? null : new Set(values.trunk) }
  const output = eventWriter(values.service ?? null, values.country ?? null, io)
  let state = noCalls
  const fold = async (rows: readonly PbxRow[]) => {
    const folded = foldRows(state, rows, options)
    state = folded.state
    await output.print(folded.facts, rows)
  }
  const queueLog = values['queue-log']
  if (queueLog !== undefined) await foldFile(queueLog, {}, parseQueueLogRow, io, fold)
  await foldFile(celPath, { quoted: true }, parseCelRow, io, fold)
  // The file is all there is: what has not ended in it never will.
  const gone: PbxRow = { kind: 'channels_gone', at: 0, uniqueIds: openChannels(state) }
  if (!values['keep-open']) await fold([gone])
}

async function foldFile(
  path: string,
  reading: ReadLogOptions,
  parse: (record: string) => Parsed<PbxRow>,
  { warn, signal }: DeriveIo,
  fold: (rows: readonly PbxRow[]) => Promise<void>,
): Promise<void> {
  let number = 0
  let cursor: LogCursor | null = null
  await needFile(path)
  for (let more = true; more; ) {
    signal.throwIfAborted()
    const batch = await readLog(path, cursor, { ...reading, complete: true })
    const rows: PbxRow[] = []
    for (const { text } of batch.records) {
      number += 1
      if (text === '') continue
      const parsed = parse(text)
      if ('problem' in parsed) warn(`${path}: row ${number} not read: ${parsed.problem}.`)
      if (parsed.row !== undefined) rows.push(parsed.row)
    }
    await fold(rows)
    cursor = batch.cursor
    more = batch.more
  }
}

/** A log that is missing or no file is an empty one to `readLog`, which waits for it; here it is a mistake. */
async function needFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw error
  })
  if (found === null) throw new Error(`There is no file ${path}.`)
  if (!found.isFile()) throw new Error(`${path} is not a file.`)
}

interface EventWriter {
  readonly print: (facts: readonly Fact[], rows: readonly PbxRow[]) => Promise<void>
}

function eventWriter(name: string | null, country: string | null, io: DeriveIo): EventWriter {
  let directory: Directory | null = null
  return {
    async print(facts, rows) {
      const first = rows.find((row) => row.kind === 'cel')
      if (first !== undefined)
        directory ??= directoryOf(name ?? systemNameOf(first.uniqueId), country)
      if (directory === null) return
      const known = directory
      const lines = facts.map((fact) => `${JSON.stringify(describe(fact, known, false))}\n`)
      if (lines.length > 0) await io.write(lines.join(''))
    },
  }
}

/** `pbx1-1795359620.0` → `pbx1`; without a system name set, `pbx`. */
function systemNameOf(uniqueId: string): string {
  return /^(.+)-\d+\.\d+$/.exec(uniqueId)?.[1] ?? 'pbx'
}

function directoryOf(name: string, country: string | null): Directory {
  return {
    account: { id: 'acc_derive', name: 'derive' },
    service: {
      uuid: namedUuid(deriveNamespace, name),
      name,
      friendly_name: name,
      type: 'hosted_pbx',
    },
    country,
    users: new Map(),
    numbers: new Map(),
    // There is no server that could be asked for the audio.
    audioLink: () => null,
  }
}
