/** `npm run docs`: writes the pages that are made from code. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { projectFolder } from '#server/config.ts'
import { docsPages } from './docs-pages.ts'

for (const [path, text] of Object.entries(docsPages)) {
  const file = join(projectFolder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, await text())
}
