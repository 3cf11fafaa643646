import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { docsPages } from './docs-pages.ts'

test.each(Object.keys(docsPages))('%s is what npm run docs would write', async (path) => {
  const written = readFileSync(join(projectFolder, path), 'utf8')
  expect(written, 'stale: run "npm run docs" and commit').toBe(await docsPages[path]?.())
})

test('docs/reference has no page that npm run docs would not write', () => {
  const pages = globSync('docs/reference/**/*', { cwd: projectFolder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(projectFolder, join(entry.parentPath, entry.name)))
  expect(pages.length).toBeGreaterThan(30)
  const left = pages.filter((page) => !Object.hasOwn(docsPages, page))
  expect(left, 'made from nothing any more: delete them').toEqual([])
})

test('docs/dependencies.md gives a reason for every dependency, and versions are exact', () => {
  const page = readFileSync(join(projectFolder, 'docs/dependencies.md'), 'utf8')
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(projectFolder, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.flatMap((row) => (row.split('|')[1] ?? '').match(/(?<=`)[^`, ]+(?=`)/g) ?? [])
  const wanted = [...Object.keys(dependencies), ...Object.keys(devDependencies)]
  expect(named.toSorted()).toEqual(wanted.toSorted())
  for (const version of Object.values({ ...dependencies, ...devDependencies })) {
    expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
  }
})
