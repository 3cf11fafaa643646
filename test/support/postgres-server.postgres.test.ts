import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const program = `
const { startPostgres } = await import('./test/support/postgres-server.ts')
const server = await startPostgres()
console.log(server.pid())
setInterval(() => undefined, 1_000)`

test('the server of tests that are killed ends with them', async () => {
  const tests = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(tests.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  expect(process.kill(pid, 0)).toBe(true)
  const ended = once(tests, 'exit')
  tests.kill('SIGKILL')
  await ended
  await waitUntil(() => !lives(pid), { what: 'the server has ended' })
})

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
