import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { docsPages } from './docs-pages.ts'

test.each(Object.keys(docsPages))('%s is what npm run docs would write', (path) => {
  const written = readFileSync(join(projectFolder, path), 'utf8')
  expect(written, 'stale: run "npm run docs" and commit').toBe(docsPages[path]?.())
})
