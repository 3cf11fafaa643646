/** docs/seeds.md and docs/features.md: each row names the tests that show it, and they are there. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { tracesFolder } from '#test/traces/read-trace.ts'

const readText = (path: string) => readFileSync(join(projectFolder, path), 'utf8')
const filesAt = (pattern: string) => globSync(pattern, { cwd: projectFolder })

interface Named {
  readonly file: string
  readonly titles: readonly string[]
}

/** The files of tests that a cell names, each with the titles in brackets behind it. */
function testsIn(cell: string): readonly Named[] {
  const pattern =
    /`((?:test|server|contracts|scripts|bench)\/[\w./*-]+\.ts)`(?: \((`[^`]+`(?:, `[^`]+`)*)\))?/g
  return [...cell.matchAll(pattern)].map(([, file = '', titles = '']) => ({
    file,
    titles: titles.match(/(?<=`)[^`]+(?=`(?:, |$))/g) ?? [],
  }))
}

const hasTests = (file: string) => /\btest(?:Calls|\.each)?\(/.test(readText(file))

/** As a literal of its file; the tests of recorded calls are called as their folders. */
function hasTitle(file: string, title: string): boolean {
  if (file === 'test/traces/traces.test.ts') return existsSync(join(tracesFolder, title))
  const text = readText(file)
  return text.includes(`'${title}'`) || text.includes(`\`${title}\``)
}

/** What is wrong with a row; empty: nothing. */
function mistakesOf(row: string): readonly string[] {
  const cells = row.split('|').map((cell) => cell.trim())
  const [here = '', tests = ''] = cells.slice(-3, -1)
  if (cells.slice(1, -1).includes('')) return ['a cell is empty']
  if (tests === '–') return here.startsWith('_not served_') ? [] : ['it has no test']
  const named = testsIn(tests)
  const missing = named.filter(({ file }) => filesAt(file).length === 0)
  if (missing.length > 0) return missing.map(({ file }) => `there is no ${file}`)
  if (!named.some(({ file }) => filesAt(file).every(hasTests))) return ['it names no test']
  return named.flatMap(({ file, titles }) =>
    titles
      .filter((title) => !filesAt(file).some((one) => hasTitle(one, title)))
      .map((title) => `${file} has no test "${title}"`),
  )
}

const rowsOf = (page: string) =>
  readText(page)
    .split('\n')
    .filter((line) => /^\| (?!-|sentence|#)/.test(line))

/** Headings become names of sections as on GitHub. */
function isThere(path: string, section: string | null): boolean {
  if (!existsSync(join(projectFolder, path))) return false
  if (section === null) return true
  const headings = [...readText(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
  return headings.includes(section)
}

describe.each([
  ['docs/seeds.md', 115],
  ['docs/features.md', 15 + 28],
])('%s', (page, least) => {
  test('each row names tests that are there', () => {
    const rows = rowsOf(page)
    expect(rows.length).toBeGreaterThanOrEqual(least)
    const wrong = rows.flatMap((row) => mistakesOf(row).map((mistake) => `${mistake}: ${row}`))
    expect(wrong).toEqual([])
  })

  test('each file, page and section that it links to is there', () => {
    const linked = [...readText(page).matchAll(/\]\((?!http)([^)#]+)(?:#([^)]+))?\)/g)]
    expect(linked.length).toBeGreaterThan(5)
    const missing = linked.filter(
      ([, path = '', section]) => !isThere(join('docs', path), section ?? null),
    )
    expect(missing.map(([link]) => link)).toEqual([])
  })
})

test.each([
  ['| a | b | `test/api/none.test.ts` |', 'there is no test/api/none.test.ts'],
  ['| a | b | `bench/latency.ts` |', 'it names no test'],
  ['| a | b | – |', 'it has no test'],
  ['| a | | `test/api/tls.test.ts` |', 'a cell is empty'],
  ['| a | b | `test/api/tls.test.ts` (`nothing`) |', 'test/api/tls.test.ts has no test "nothing"'],
  [
    '| a | b | `test/api/tls.test.ts`, `test/traces/traces.test.ts` (`0-none`, `1-none`) |',
    'test/traces/traces.test.ts has no test "0-none"',
  ],
])('the row %j is wrong', (row, mistake) => {
  expect(mistakesOf(row)[0]).toBe(mistake)
})
