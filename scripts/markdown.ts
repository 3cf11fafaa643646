export const madeFrom = (source: string) => `<!-- Made from ${source} by \`npm run docs\`. -->\n`

/** A row of a table. */
export const row = (...cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
