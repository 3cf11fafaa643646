/** Comma-separated values by RFC 4180, safe to open in a spreadsheet. */

export type CsvValue = string | number | boolean | null

/** What a spreadsheet takes for the beginning of a formula, in ASCII and in full width. */
const formula = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/
/** A phone number or a number begins with a sign too, and is none. */
const plainNumber = /^[+-]?\d+(\.\d+)?$/

/**
 * One cell. A text that a spreadsheet would run as a formula gets an apostrophe before it, which spreadsheets show as
 * text: callers choose their names, receivers their answers.
 */
function cell(value: CsvValue): string {
  if (value === null) return ''
  const text = String(value)
  const safe = formula.test(text) && !plainNumber.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** One record, with its line end. */
export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(cell).join(',')}\r\n`
}
