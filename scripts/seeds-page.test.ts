import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'

const page = readFileSync(join(projectFolder, 'docs/seeds.md'), 'utf8')
const rows = page.split('\n').filter((line) => /^\| (?!-|sentence)/.test(line))

test('every row of docs/seeds.md names what serves it', () => {
  expect(rows.length).toBeGreaterThan(100)
  for (const row of rows) {
    const cells = row.split('|').map((cell) => cell.trim())
    expect(
      cells.slice(1, -1).every((cell) => cell !== ''),
      row,
    ).toBe(true)
  }
})

test('every test and file that docs/seeds.md names is there', () => {
  const named =
    page.match(/(?<=`)(?:test|server|contracts|scripts|bench)\/[\w./*-]+\.ts(?=`)/g) ?? []
  const linked = [...page.matchAll(/\]\((?!http)([^)]+)\)/g)].map(([, path = '']) =>
    join('docs', path),
  )
  const missing = [...new Set([...named, ...linked])].filter(
    (path) => globSync(path, { cwd: projectFolder }).length === 0,
  )
  expect(missing).toEqual([])
})
