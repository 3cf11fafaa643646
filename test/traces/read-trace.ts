import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Event } from '#contracts/events/catalogue.ts'
import { runDerive } from '#server/cli/derive.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { type Parsed, parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { parseQueueLogRow } from '#server/pbx/asterisk/queue-log-row.ts'

export const tracesFolder = import.meta.dirname

/** Names of the folders that hold a recorded call each. */
export const traces: readonly string[] = readdirSync(tracesFolder).filter((name) =>
  existsSync(`${tracesFolder}/${name}/cel.csv`),
)

/** The rows of a recorded call: its queue_log, then its CEL. */
export function readTraceRows(trace: string): { cel: PbxRow[]; queueLog: PbxRow[] } {
  const read = (file: string, parse: (line: string) => Parsed<PbxRow>) =>
    readFileSync(`${tracesFolder}/${trace}/${file}`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => parse(line))
      .flatMap((parsed) => (parsed.row === undefined ? [] : [parsed.row]))
  return { cel: read('cel.csv', parseCelRow), queueLog: read('queue_log', parseQueueLogRow) }
}

/** The events that `offhook derive` prints for a recorded call. */
export async function deriveTrace(trace: string): Promise<{ events: Event[]; warnings: string[] }> {
  let output = ''
  const warnings: string[] = []
  const folder = `${tracesFolder}/${trace}`
  await runDerive([`${folder}/cel.csv`, '--queue-log', `${folder}/queue_log`], {
    write: async (text) => {
      output += text
    },
    warn: (line) => warnings.push(line),
    signal: new AbortController().signal,
  })
  const events = output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event)
  return { events, warnings }
}
