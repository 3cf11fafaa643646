import { createReadStream } from 'node:fs'
import { parseArgs } from 'node:util'
import type { FoldOptions } from '#server/domain/calls/draft.ts'
import type { Fact } from '#server/domain/calls/facts.ts'
import { foldRows, openChannels } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { noCalls, type OpenCalls } from '#server/domain/calls/state.ts'
import { describe } from '#server/domain/events/describe.ts'
import type { Directory } from '#server/domain/events/directory.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import { cutCelRecords } from '#server/pbx/asterisk/cel-records.ts'
import { type Parsed, parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { parseQueueLogRow } from '#server/pbx/asterisk/queue-log-row.ts'

export const deriveHelp = `offhook derive <cel.csv> [options]

Prints the events that a CEL file gives, as NDJSON in the native form, and sends nothing.
A row that cannot be read is named on stderr, and the rest goes on.

  --queue-log <file>   read the PBX's queue_log too: positions, outcomes, restarts of the PBX
  --country <XX>       where the PBX stands; national numbers become E.164
  --trunk <name>       endpoint of a line to a carrier; may be given several times (default: guessed)
  --service <name>     name of the service in the events (default: the system name in the unique ids)
  --keep-open          leave calls open that have not ended in the file (default: close them, incomplete)
`

export interface DeriveIo {
  readonly write: (text: string) => Promise<void>
  readonly warn: (line: string) => void
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
  if (celPath === undefined || rest.length > 0) throw new Error('derive needs one CEL file.')
  const options = { trunks: values.trunk === undefined ? null : new Set(values.trunk) }
  let state = noCalls
  if (values['queue-log'] !== undefined) {
    state = (await foldQueueLogFile(values['queue-log'], state, options, io)).state
  }
  const output = eventWriter(values.service ?? null, values.country ?? null, io)
  const ended = await foldCelFile(celPath, state, options, io, output)
  await output.finish(values['keep-open'] ? null : ended, options)
}

async function foldQueueLogFile(
  path: string,
  state: OpenCalls,
  options: FoldOptions,
  io: DeriveIo,
): Promise<{ state: OpenCalls }> {
  const rows: PbxRow[] = []
  let number = 0
  let rest = ''
  const take = (line: string) => {
    number += 1
    if (line.trim() === '') return
    collect(parseQueueLogRow(line), `${path}: row ${number}`, rows, io)
  }
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  }
  if (rest !== '') take(rest)
  return foldRows(state, rows, options)
}

function collect(parsed: Parsed<PbxRow>, where: string, rows: PbxRow[], io: DeriveIo): void {
  if ('row' in parsed) rows.push(parsed.row)
  else io.warn(`${where}: not read: ${parsed.problem}.`)
}

async function foldCelFile(
  path: string,
  begin: OpenCalls,
  options: FoldOptions,
  io: DeriveIo,
  output: EventWriter,
): Promise<OpenCalls> {
  let state = begin
  let rest = ''
  let number = 0
  const take = async (text: string, final: boolean) => {
    const { records, used } = cutCelRecords(text, final)
    const rows: PbxRow[] = []
    for (const record of records) {
      number += 1
      collect(parseCelRow(record.text), `${path}: row ${number}`, rows, io)
    }
    const folded = foldRows(state, rows, options)
    state = folded.state
    await output.print(folded.facts, rows)
    return text.slice(used)
  }
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    rest = await take(rest + chunk, false)
  }
  await take(rest, true)
  return state
}

interface EventWriter {
  readonly print: (facts: readonly Fact[], rows: readonly PbxRow[]) => Promise<void>
  readonly finish: (open: OpenCalls | null, options: FoldOptions) => Promise<void>
}

function eventWriter(name: string | null, country: string | null, io: DeriveIo): EventWriter {
  let directory: Directory | null = null
  const lines = (facts: readonly Fact[], known: Directory) =>
    facts.map((fact) => `${JSON.stringify(describe(fact, known, false))}\n`).join('')
  const directoryFor = (uniqueId: string) => {
    directory ??= directoryOf(name ?? systemNameOf(uniqueId), country)
    return directory
  }
  return {
    async print(facts, rows) {
      const first = rows.find((row) => row.kind === 'cel')
      if (first !== undefined) directoryFor(first.uniqueId)
      const [fact] = facts
      if (fact !== undefined) await io.write(lines(facts, directoryFor(fact.callId)))
    },
    async finish(open, options) {
      if (open === null) return
      // The file is all there is: what has not ended in it never will.
      const gone = { kind: 'channels_gone', at: 0, uniqueIds: openChannels(open) } as const
      const { facts } = foldRows(open, [gone], options)
      const [fact] = facts
      if (fact !== undefined) await io.write(lines(facts, directoryFor(fact.callId)))
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
  }
}
