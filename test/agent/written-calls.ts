/** Calls as an Asterisk writes them into its CEL file, at any time and as many as wanted. */
import { readFileSync } from 'node:fs'
import { tracesFolder } from '#test/traces/read-trace.ts'

/** Anna calls 1001, 201 answers after a second, she hangs up after three. */
const recorded = readFileSync(`${tracesFolder}/01-inbound-answered-caller-hangup/cel.csv`, 'utf8')
  .split('\n')
  .filter((row) => row !== '')

const timeOf = (row: string) => Number(row.split('","')[2])
const lastAt = Math.max(...recorded.map(timeOf))

/**
 * The rows of the call with this number, each with its line end. It ended at `endedAt` (epoch ms). Calls of different
 * numbers have nothing in common.
 */
export function callRows(number: number, endedAt: number): string[] {
  return recorded.map((row) => {
    const at = (endedAt / 1_000 + timeOf(row) - lastAt).toFixed(6)
    return `${row
      .replace(/^("[^"]*","[^"]*",")[\d.]+/, `$1${at}`)
      .replaceAll(/pbx1-\d+\.(\d+)/g, `pbx1-${1_800_000_000 + number}.$1`)}\n`
  })
}
