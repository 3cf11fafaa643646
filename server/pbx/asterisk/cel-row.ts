/**
 * One row of the CEL file → `CelRow`. The columns are those of the `cel.csv` mapping that Offhook generates and asks of
 * an attached PBX (`cel_custom.conf`), format `dsv`: every field quoted, quotes doubled. A caller chooses the text of
 * some fields, so nothing about them is taken for granted.
 */
import type { CelRow } from '#server/domain/calls/rows.ts'

export const celColumns = [
  'EventType',
  'EventEnum',
  'EventTime',
  'UserDefType',
  'Name',
  'Num',
  'ANI',
  'RDNIS',
  'DNID',
  'Exten',
  'Context',
  'ChanName',
  'AppName',
  'AppData',
  'AMAFlags',
  'AccountCode',
  'UniqueID',
  'LinkedID',
  'Peer',
  'PeerAccount',
  'UserField',
  'EventExtra',
  'TenantID',
] as const

/** With a problem, `row` is the whole row that stands on the same line behind the one that could not be read. */
export type Parsed<T> =
  | { readonly row: T }
  | { readonly problem: string; readonly row?: T | undefined }

/** Splits one record; `null` when its quoting is broken. */
function splitRecord(record: string): string[] | null {
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (record[at] === '"') {
      const close = closingQuote(record, at + 1)
      if (close < 0) return null
      fields.push(record.slice(at + 1, close).replaceAll('""', '"'))
      at = close + 1
    } else {
      const comma = record.indexOf(',', at)
      const end = comma < 0 ? record.length : comma
      fields.push(record.slice(at, end))
      at = end
    }
    if (at >= record.length) return fields
    if (record[at] !== ',') return null
    at += 1
  }
}

function closingQuote(record: string, from: number): number {
  let at = record.indexOf('"', from)
  while (at >= 0 && record[at + 1] === '"') at = record.indexOf('"', at + 2)
  return at
}

/** Parses one record without its line end. */
export function parseCelRow(record: string): Parsed<CelRow> {
  const parsed = parseWhole(record)
  return 'problem' in parsed ? { ...parsed, row: rowBehind(record) } : parsed
}

/** The first columns of a row. A value cannot hold this: the quotes in it are doubled. */
const rowStart = /"([^",]+)","(?:\1|USER_DEFINED)","\d{1,12}\.\d{1,6}",/g

/**
 * The row behind a torn one: an Asterisk that was killed, or whose disk was full, leaves a row without its line end,
 * and the next row follows at once. That is often the CHAN_START of the next call, which would be lost without it.
 */
function rowBehind(record: string): CelRow | undefined {
  for (const { index } of record.matchAll(rowStart)) {
    const behind = index === 0 ? undefined : parseWhole(record.slice(index))
    if (behind !== undefined && 'row' in behind) return behind.row
  }
  return undefined
}

function parseWhole(record: string): { readonly row: CelRow } | { readonly problem: string } {
  const fields = splitRecord(record)
  if (fields === null) return { problem: 'the quoting is broken' }
  if (fields.length !== celColumns.length) {
    return { problem: `it has ${fields.length} columns instead of ${celColumns.length}` }
  }
  const column = (name: (typeof celColumns)[number]) => fields[celColumns.indexOf(name)] as string
  const at = parseTime(column('EventTime'))
  if (at === null)
    return { problem: `EventTime "${column('EventTime')}" is not seconds.microseconds` }
  if (column('UniqueID') === '') return { problem: 'UniqueID is empty' }
  const enumerated = column('EventEnum')
  const mark = enumerated === 'USER_DEFINED' ? column('UserDefType') || column('EventType') : ''
  return {
    row: {
      kind: 'cel',
      type: enumerated || column('EventType'),
      mark,
      at,
      callerName: column('Name'),
      callerNumber: column('Num'),
      extension: column('Exten'),
      context: column('Context'),
      channel: column('ChanName'),
      app: column('AppName'),
      appData: column('AppData'),
      uniqueId: column('UniqueID'),
      linkedId: column('LinkedID'),
      peer: column('Peer'),
      extra: parseExtra(column('EventExtra')),
    },
  }
}

/** `1795359620.458846` → milliseconds with fraction; whole seconds are read too. */
function parseTime(text: string): number | null {
  return /^\d{1,12}(\.\d{1,6})?$/.test(text) ? Number(text) * 1000 : null
}

/** A broken extra costs the facts in it, not the row. */
function parseExtra(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {}
  } catch {
    return {}
  }
}
