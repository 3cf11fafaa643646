/** The logs that a running Asterisk keeps open are rotated, and no row is lost. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'
import { asteriskRecord } from '#server/pbx/asterisk/asterisk-record.ts'
import { instanceFolder } from '#server/pbx/asterisk/instance-folder.ts'
import { rotateLogs } from '#server/pbx/asterisk/log-rotation.ts'
import { demoSettings, temporaryFolder } from '#test/asterisk/pbx/demo.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const run = promisify(execFile)

test('queue_log and messages are rotated while Asterisk writes them', async () => {
  await using cleanUp = new AsyncDisposableStack()
  const temporary = cleanUp.use(await temporaryFolder())
  const { pbx: settings } = await demoSettings(temporary.path)
  const pbx = await openAsteriskPbx(settings)
  cleanUp.defer(() => pbx.close())
  const files = instanceFolder(settings.folder)
  const console = (command: string) => run(files.wrapper, ['-C', files.conf, '-rx', command])
  const tiny = { maxBytes: 150, keepMs: 86_400_000 }
  const record = asteriskRecord({
    celPath: files.celFile,
    queueLogPath: files.queueLogFile,
    beginAt: 'start',
    rotate: (read, now) =>
      rotateLogs(files, read, pbx, now, {
        record: tiny,
        messages: { ...tiny, keepFiles: 2 },
      }),
  })
  const seen: string[] = []
  let cursor = await record.resume(null)
  const readAll = async () => {
    for (let more = true; more; ) {
      const batch = await record.read(cursor)
      expect(batch.remarks).toEqual([])
      for (const row of batch.rows) {
        if (row.kind === 'queue_log' && /PAUSE$/.test(row.event)) seen.push(row.data[0] ?? '')
      }
      ;({ cursor, more } = batch)
    }
  }

  const rounds = Array.from({ length: 60 }, (_, n) => String(n))
  // One after the other: what comes while Asterisk begins a new file it loses, see log-rotation.ts.
  for (const n of rounds) {
    const what = Number(n) % 2 === 0 ? 'pause' : 'unpause'
    await console(`queue ${what} member PJSIP/201 queue sales reason ${n}`)
    await console('module load no_such_module.so')
    await readAll()
    await record.tidy(cursor, Date.now())
  }
  await waitUntil(
    async () => {
      await readAll()
      return seen.length >= rounds.length
    },
    { what: 'every row is read' },
  )
  expect(seen).toEqual(rounds)
  const names = await readdir(dirname(files.queueLogFile))
  expect(names.filter((name) => name.startsWith('queue_log.')).length).toBeGreaterThan(5)
  expect(names.filter((name) => name.startsWith('messages.')).length).toBe(2)
  // Asterisk writes the new file, not the one that was renamed last.
  await console('module load the_last_module.so')
  await waitUntil(async () => (await readFile(files.messagesFile, 'utf8')).includes('the_last'), {
    what: 'messages goes on in its new file',
  })
})
