import { readFileSync } from 'node:fs'
import type { Event } from '#contracts/events/catalogue.ts'
import { runDerive } from '#server/cli/derive.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { cutCelRecords } from '#server/pbx/asterisk/cel-records.ts'
import { parseCelRow } from '#server/pbx/asterisk/cel-row.ts'
import { parseQueueLogRow } from '#server/pbx/asterisk/queue-log-row.ts'

export const tracesFolder = import.meta.dirname

/** The rows of a recorded call: its queue_log, then its CEL. */
export function readTraceRows(trace: string): { cel: PbxRow[]; queueLog: PbxRow[] } {
  const cel = cutCelRecords(readFileSync(`${tracesFolder}/${trace}/cel.csv`, 'utf8'), true)
  const log = readFileSync(`${tracesFolder}/${trace}/queue_log`, 'utf8').split('\n')
  const rows = (parsed: ({ row: PbxRow } | { problem: string })[]) =>
    parsed.flatMap((p) => ('row' in p ? [p.row] : []))
  return {
    cel: rows(cel.records.map((record) => parseCelRow(record.text))),
    queueLog: rows(log.filter((line) => line !== '').map((line) => parseQueueLogRow(line))),
  }
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
  })
  const events = output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event)
  return { events, warnings }
}
