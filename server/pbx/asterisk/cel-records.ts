/**
 * Cuts the text of a CEL file into records. A record is a line; only a line with an open quote goes on in the next one
 * (a newline that a caller managed to get into a name), and only when the next line is no row of its own: a row that
 * was cut short by a full disk must not swallow the rows after it.
 */
import { celColumns } from '#server/pbx/asterisk/cel-row.ts'

/** No row is longer: Asterisk writes rows of under 4 KiB; this leaves room for many long fields. */
export const longestRecord = 64 * 1024

export interface CelRecords {
  readonly records: readonly { readonly text: string; readonly end: number }[]
  /** Characters used: the rest is not yet a complete record. */
  readonly used: number
}

/**
 * @param text what was read, from the beginning of a record
 * @param final nothing more will come: an incomplete last line is a record too
 */
export function cutCelRecords(text: string, final: boolean): CelRecords {
  const records: { text: string; end: number }[] = []
  let start = 0
  while (start < text.length) {
    const end = recordEnd(text, start, final)
    if (end === null) break
    const record = text.slice(start, end).replace(/\r?\n$/, '')
    if (record !== '') records.push({ text: record, end })
    start = end
  }
  return { records, used: start }
}

function recordEnd(text: string, start: number, final: boolean): number | null {
  const firstEnd = lineEnd(text, start, final)
  let end = firstEnd
  while (end !== null && opensQuote(text, start, end)) {
    const next = lineEnd(text, end, final)
    if (next === null) {
      // The next line is not there yet; it decides, unless nothing comes or this grows beyond any row.
      return final || text.length - start > longestRecord ? firstEnd : null
    }
    if (next === end || isRow(text.slice(end, next)) || next - start > longestRecord)
      return firstEnd
    end = next
  }
  return end
}

/** Index after the line's newline; null when the line is not complete. */
function lineEnd(text: string, from: number, final: boolean): number | null {
  const newline = text.indexOf('\n', from)
  if (newline >= 0) return newline + 1
  return final ? text.length : null
}

function opensQuote(text: string, from: number, to: number): boolean {
  let quotes = 0
  for (let i = text.indexOf('"', from); i >= 0 && i < to; i = text.indexOf('"', i + 1)) quotes += 1
  return quotes % 2 === 1
}

/** A line that begins like a row: an upper-case event type and as many quoted columns as a row has, or more quotes. */
function isRow(line: string): boolean {
  return /^"[A-Z][A-Z0-9_]*","/.test(line) && line.split('","').length >= celColumns.length - 1
}
