import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { benches } from '#bench/benches.ts'
import { projectFolder } from '#server/config.ts'

test('docs/benchmarks.md explains every bench, with what it is meant to reach', async () => {
  const page = await readFile(join(projectFolder, 'docs/benchmarks.md'), 'utf8')
  const [explained = ''] = page.split('## Seen')
  const rows = [...explained.matchAll(/^\| `([a-z-]+)` *\|.*\| (.*?) *\|$/gm)]
  const told = rows.map(([, name, reach]) => ({ name, reach }))
  expect(told).toEqual(benches.map(({ name, reach }) => ({ name, reach })))
})
