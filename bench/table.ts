import type { Bench, BenchResult } from '#bench/bench.ts'

/** One row per bench, as Markdown; a bench that failed says why instead of a figure. */
export function tableOf(results: ReadonlyMap<Bench, BenchResult | Error>): string {
  const rows = [...results].map(([{ name, title, reach }, result]) =>
    result instanceof Error
      ? [name, title, 'FAILED', reach, result.message.split('\n')[0] ?? '']
      : [name, title, `${result.value} ${result.unit}`, reach, spreadIn(result)],
  )
  const all = [['bench', 'figure', 'seen', 'reach', 'spread'], ...rows]
  const widths = all[0]?.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0))) ?? []
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = all
  return `${[line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')}\n`
}

function spreadIn({ details }: BenchResult): string {
  const { ratio } = details
  if (typeof ratio !== 'object' || ratio === null || !('least' in ratio) || !('most' in ratio)) {
    return ''
  }
  return `${ratio.least} to ${ratio.most}`
}
