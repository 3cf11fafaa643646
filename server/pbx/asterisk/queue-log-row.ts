/** One line of Asterisk's queue_log: `epoch|uniqueid|queue|agent|EVENT|data|…`. */
import type { QueueLogRow } from '#server/domain/calls/rows.ts'
import type { Parsed } from '#server/pbx/asterisk/cel-row.ts'

export function parseQueueLogRow(line: string): Parsed<QueueLogRow> {
  const [time = '', uniqueId = '', queue = '', agent = '', event = '', ...data] = line.split('|')
  if (!/^\d{1,12}(\.\d+)?$/.test(time)) return { problem: `time "${time}" is not epoch seconds` }
  if (event === '') return { problem: 'it has fewer than five fields' }
  return {
    row: { kind: 'queue_log', at: Number(time) * 1000, uniqueId, queue, agent, event, data },
  }
}
