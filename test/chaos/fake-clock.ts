/** The wall clock of one process, to be set while it runs (libfaketime); its monotonic clock goes on as it is. */
import { execFile } from 'node:child_process'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { projectFolder } from '#server/config.ts'

export interface FakeClock extends AsyncDisposable {
  /** For the process whose clock it is. */
  readonly env: Readonly<Record<string, string>>
  /** Sets it so many seconds ahead of the real one, or behind it. */
  readonly set: (aheadSeconds: number) => Promise<void>
  /** What it shows, epoch milliseconds. */
  readonly now: () => number
}

export async function startFakeClock(): Promise<FakeClock> {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-clock-'))
  const file = join(folder, 'ahead')
  let ahead = 0
  async function set(seconds: number): Promise<void> {
    const sign = seconds < 0 ? '' : '+'
    // The file is read at every look at the clock, so it must never be half written.
    await writeFile(`${file}.new`, `${sign}${seconds}\n`)
    await rename(`${file}.new`, file)
    ahead = seconds
  }
  const env = {
    LD_PRELOAD: join(projectFolder, '.offhook/tools/faketime/libfaketimeMT.so.1'),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    // Files keep the times that the kernel gave them.
    NO_FAKE_STAT: '1',
  }
  await set(-86_400)
  await checkFaked(env)
  await set(0)
  return {
    env,
    set,
    now: () => Date.now() + ahead * 1_000,
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  }
}

/** A library that cannot be loaded is passed over by the loader, and every test with it would pass. */
async function checkFaked(env: Readonly<Record<string, string>>): Promise<void> {
  const { stdout } = await promisify(execFile)('date', ['+%s'], { env: { ...process.env, ...env } })
  if (Number(stdout) * 1_000 > Date.now() - 3_600_000) {
    throw new Error('The clock is not faked: bash scripts/get-faketime.sh gets the library.')
  }
}
