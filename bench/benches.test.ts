import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
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

test('a bench that fails ends with exit code 1 and one line that says why', async () => {
  const child = spawn(process.execPath, ['bench/main.ts', 'crash', '--quick'], {
    cwd: projectFolder,
    env: { ...process.env, TMPDIR: '/nowhere' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  expect(code).toBe(1)
  expect(JSON.parse(said)).toEqual({ name: 'crash', error: expect.stringContaining('/nowhere') })
})
