/**
 * Lines with their columns under one another and under `header`; the last column is as long as it is. Of no rows there is
 * nothing to head.
 */
export function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const all = [header, ...rows.map((row) => row.map(printable))]
  const widths = header.map((_, i) => Math.max(...all.map((row) => lengthOf(row[i]))))
  return all
    .map((row) =>
      row.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - lengthOf(cell))).join('  '),
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/** The table, without the column `spare` where its lines would be longer than that. */
export function tableWithin(
  columns: number,
  header: readonly string[],
  rows: readonly (readonly string[])[],
  spare?: string,
): string {
  const whole = tableOf(header, rows)
  const widest = Math.max(...whole.split('\n').map(lengthOf))
  if (spare === undefined || widest <= columns) return whole
  const others = (_: string, i: number) => header[i] !== spare
  return tableOf(
    header.filter(others),
    rows.map((row) => row.filter(others)),
  )
}

/** At most so many characters. */
export function cut(text: string, length: number): string {
  const all = [...text]
  return all.length <= length ? text : `${all.slice(0, length - 1).join('')}…`
}

/** Names are what people gave them: shown in one line, and with nothing that a terminal obeys. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
}

function lengthOf(text = ''): number {
  return [...text].length
}
