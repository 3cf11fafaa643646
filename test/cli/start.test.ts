import { access, chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test, vi } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { type OffhookRun, runCommand, startCommand, temporaryFolder } from './run-offhook.ts'

// Several processes one after the other, each a second of work, on machines that have other things to do.
vi.setConfig({ testTimeout: 60_000 })

async function untilUp(run: OffhookRun): Promise<string> {
  await waitUntil(() => run.stdout().includes('Ctrl-C stops everything.'), {
    what: 'Offhook is up',
    timeoutMs: 40_000,
  })
  return /http:\/\/127\.0\.0\.1:\d+/.exec(run.stdout())?.[0] ?? ''
}

async function locate(tool: string): Promise<string> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, tool)
    const there = await access(path).then(
      () => true,
      () => false,
    )
    if (there) return path
  }
  throw new Error(`This machine has no ${tool}.`)
}

/** One sentence and nothing else: no stack, no log line. */
const sentence = (text: RegExp) =>
  expect.stringMatching(new RegExp(`^offhook start: ${text.source}\n$`))

test('a start shows address, key and PBX; the key works; SIGTERM ends it in order', async () => {
  await using data = await temporaryFolder()
  await using run = startCommand(['start'], { OFFHOOK_DATA: data.path })
  const url = await untilUp(run)
  const key = /ohk_\S+/.exec(run.stdout())?.[0]
  const headers = { authorization: `Bearer ${key}` }
  expect((await fetch(`${url}/api/v1/services`, { headers })).status).toBe(200)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  expect(await readFile(join(data.path, 'api-key'), 'utf8')).toBe(`${key}\n`)
  expect((await stat(join(data.path, 'api-key'))).mode & 0o777).toBe(0o600)
  expect(run.stderr()).not.toContain(key)
  run.child.kill('SIGTERM')
  expect(await run.ended).toMatchObject({ code: 0 })
})

test('a second start finds everything and says where the key is', async () => {
  await using data = await temporaryFolder()
  for (const shown of [/ohk_\S+/, /in \S+api-key/]) {
    await using run = startCommand(['start'], { OFFHOOK_DATA: data.path })
    await untilUp(run)
    expect(run.stdout()).toMatch(shown)
    run.child.kill('SIGINT')
    expect(await run.ended).toMatchObject({ code: 0 })
  }
})

test('an Offhook that loses its database ends with 1, so that it is started again', async () => {
  await using data = await temporaryFolder()
  const loseThread = join(projectFolder, 'test/support/lose-thread.ts')
  await using run = startCommand(['start'], {
    OFFHOOK_DATA: data.path,
    NODE_OPTIONS: `--import=${pathToFileURL(loseThread)}`,
  })
  await untilUp(run)
  run.child.kill('SIGUSR2')
  const { code, stderr } = await run.ended
  expect(code).toBe(1)
  expect(stderr).toMatch(/^offhook start: The database \S+ is closed\.\n$/m)
  await using again = startCommand(['start'], { OFFHOOK_DATA: data.path })
  const url = await untilUp(again)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
})

test('a terminal that sends Ctrl-C and npm that passes it on are one key press', async () => {
  await using data = await temporaryFolder()
  await using run = startCommand(['start'], { OFFHOOK_DATA: data.path })
  await untilUp(run)
  run.child.kill('SIGINT')
  run.child.kill('SIGINT')
  expect(await run.ended).toMatchObject({ code: 0 })
})

test('a second process on the same data folder is refused, and the first one lives', async () => {
  await using data = await temporaryFolder()
  await using first = startCommand(['start'], { OFFHOOK_DATA: data.path })
  const url = await untilUp(first)
  const second = await runCommand(['start'], { OFFHOOK_DATA: data.path })
  expect(second).toMatchObject({
    code: 1,
    stdout: '',
    stderr: sentence(/Another Offhook is running on the database \S+; stop it first\./),
  })
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test('after kill -9 the next start takes over', async () => {
  await using data = await temporaryFolder()
  await using first = startCommand(['start'], { OFFHOOK_DATA: data.path })
  await untilUp(first)
  first.child.kill('SIGKILL')
  await first.ended
  await using second = startCommand(['start'], { OFFHOOK_DATA: data.path })
  expect(await untilUp(second)).toMatch(/^http:/)
})

test('a busy port', async () => {
  await using data = await temporaryFolder()
  const other = createServer().listen(0, '127.0.0.1')
  try {
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const env = { OFFHOOK_DATA: data.path, OFFHOOK_PORT: String(port) }
    expect(await runCommand(['start'], env)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: sentence(
        /Port \d+ on 127\.0\.0\.1 is in use by another program; OFFHOOK_PORT chooses another\./,
      ),
    })
    // A start that failed has shown no key, so the next one still can.
    await expect(stat(join(data.path, 'api-key'))).rejects.toThrow('ENOENT')
  } finally {
    other.close()
  }
})

test('an address that the machine does not have', async () => {
  await using data = await temporaryFolder()
  const env = { OFFHOOK_DATA: data.path, OFFHOOK_HOST: '192.0.2.1' }
  const { code, stderr } = await runCommand(['start'], env)
  expect(code).toBe(1)
  expect(stderr).toEqual(sentence(/This machine has no address 192\.0\.2\.1; OFFHOOK_HOST .*/))
})

test('a data folder with a file in its way', async () => {
  await using data = await temporaryFolder()
  const file = join(data.path, 'file')
  await writeFile(file, '')
  for (const folder of [file, join(file, 'below')]) {
    expect(await runCommand(['start'], { OFFHOOK_DATA: folder })).toMatchObject({
      code: 1,
      stderr: sentence(/The data folder \S+ cannot be written to: a file stands in its way\. .*/),
    })
  }
})

test('a read-only data folder', async () => {
  await using data = await temporaryFolder()
  await chmod(data.path, 0o500)
  // Permissions do not stop root; the kernel's own tree does.
  const folders = process.getuid?.() === 0 ? ['/sys/offhook', '/proc/offhook'] : [data.path]
  for (const folder of folders) {
    const { code, stdout, stderr } = await runCommand(['start'], { OFFHOOK_DATA: folder })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toEqual(sentence(/The data folder \S+ cannot be written to: .*OFFHOOK_DATA .*/))
  }
  await chmod(data.path, 0o700)
})

test('wrong settings are told all at once, with what was probably meant', async () => {
  await using data = await temporaryFolder()
  const env = { OFFHOOK_DATA: data.path, OFFHOOK_PROT: '1', OFFHOOK_RETENTION_DAYS: 'x' }
  expect(await runCommand(['start'], env)).toMatchObject({
    code: 1,
    stderr: sentence(/Wrong settings: OFFHOOK_PROT: .*did you mean OFFHOOK_PORT\?; OFFHOOK_RET.*/),
  })
})

test('with OFFHOOK_LOG_LEVEL=debug the stack is shown, too', async () => {
  await using data = await temporaryFolder()
  const env = { OFFHOOK_DATA: data.path, OFFHOOK_HOST: '192.0.2.1', OFFHOOK_LOG_LEVEL: 'debug' }
  expect((await runCommand(['start'], env)).stderr).toMatch(/This machine has no address.*\n +at /s)
})

test('the demo on a machine without Asterisk and without apt', async () => {
  await using data = await temporaryFolder()
  await using tools = await temporaryFolder()
  for (const tool of ['bash', 'sh', 'env', 'dirname', 'sed', 'grep']) {
    await symlink(await locate(tool), join(tools.path, tool))
  }
  const env = {
    OFFHOOK_DATA: data.path,
    OFFHOOK_DEMO_PBX: 'on',
    OFFHOOK_ASTERISK_ROOT: join(data.path, 'asterisk'),
    PATH: tools.path,
  }
  const { code, stdout, stderr } = await runCommand(['start'], env)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.trim().split('\n').at(-1)).toMatch(
    /^offhook start: There is no Asterisk here: this machine has no apt-get.*OFFHOOK_DEMO_PBX=off/,
  )
})
