/**
 * `npm run bench`: all figures in one table. `npm run -s bench -- <name> [--quick]`: one, and its JSON as the last line
 * of stdout. What is told on the way goes to stderr.
 */
import { parseArgs } from 'node:util'
import type { Bench, BenchResult } from '#bench/bench.ts'
import { benches } from '#bench/benches.ts'
import { tableOf } from '#bench/table.ts'

function wanted(): { readonly chosen: readonly Bench[]; readonly quick: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false } },
  })
  const names = benches.map((bench) => bench.name)
  const unknown = positionals.filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    throw new Error(`There is no bench ${unknown.join(', ')}; there are ${names.join(', ')}.`)
  }
  const chosen =
    positionals.length === 0 ? benches : benches.filter(({ name }) => positionals.includes(name))
  return { chosen, quick: values.quick }
}

async function runOne(bench: Bench, quick: boolean): Promise<BenchResult | Error> {
  const began = performance.now()
  const tell = (line: string) => process.stderr.write(`${bench.name}: ${line}\n`)
  try {
    const result = await bench.run({ quick, tell })
    tell(`${((performance.now() - began) / 1_000).toFixed(0)} s`)
    return result
  } catch (error) {
    process.exitCode = 1
    const failure = error instanceof Error ? error : new Error(String(error))
    tell(failure.stack ?? failure.message)
    return failure
  }
}

/** One line of JSON; of a bench that failed its name and why. */
function lineOf({ name }: Bench, result: BenchResult | Error): string {
  return `${JSON.stringify(result instanceof Error ? { name, error: result.message } : result)}\n`
}

const { chosen, quick } = wanted()
const results = new Map<Bench, BenchResult | Error>()
for (const bench of chosen) {
  const result = await runOne(bench, quick)
  results.set(bench, result)
  // The table has no room for them.
  if (chosen.length > 1) process.stderr.write(lineOf(bench, result))
}
if (results.size > 1) {
  process.stdout.write(tableOf(results))
  if (quick) process.stdout.write('--quick: smaller and shorter, see docs/benchmarks.md.\n')
} else for (const [bench, result] of results) process.stdout.write(lineOf(bench, result))
