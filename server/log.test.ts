import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLog } from '#server/log.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offhook-log-'))
})
afterEach(async () => await rm(folder, { recursive: true }))

test('lines are in the file when the log is closed, readable by its owner alone', async () => {
  const path = join(folder, 'below', 'offhook.log')
  {
    await using log = await openLog('info', path)
    log.logger.debug('not this one')
    log.logger.info({ service: 'pbx' }, 'this one')
  }
  const lines = (await readFile(path, 'utf8')).trim().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ service: 'pbx', msg: 'this one' }])
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test.each(['', '/below'])('a path that is no file (…%s) is told in one sentence', async (below) => {
  const path = below === '' ? folder : join('/dev/null', below)
  await expect(openLog('info', path)).rejects.toMatchObject({
    code: 'log_unwritable',
    message: expect.stringMatching(/^The log \S+ cannot be written \(E\w+\)\. OFFHOOK_LOG_FILE /),
  })
})

test('a full disk neither stops the log from being closed nor ends the process', async () => {
  await using log = await openLog('info', '/dev/full')
  for (let i = 0; i < 1000; i++) log.logger.info('x'.repeat(1000))
  await new Promise(setImmediate)
})
