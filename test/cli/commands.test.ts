import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { version } from '#server/app.ts'
import { commands } from '#server/cli/commands.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { tracesFolder } from '#test/traces/read-trace.ts'
import { runCommand, startCommand, temporaryFolder } from './run-offhook.ts'

// Several processes one after the other, each a second of work, on machines that have other things to do.
vi.setConfig({ testTimeout: 60_000 })

describe('help', () => {
  test('lists every command', async () => {
    for (const args of [[], ['--help'], ['help']]) {
      const { code, stdout } = await runCommand(args, {})
      expect(code).toBe(0)
      for (const name of Object.keys(commands))
        expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    }
  })

  test('tells the version', async () => {
    const { code, stdout } = await runCommand(['--version'], {})
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${version}\n` })
  })

  test.each(Object.keys(commands))('%s explains itself', async (name) => {
    const { code, stdout } = await runCommand([name, '--help'], {})
    expect({ code, stdout }).toEqual({ code: 0, stdout: commands[name]?.help })
    if (name === 'keys') expect((await runCommand(['help', name], {})).stdout).toBe(stdout)
    expect(stdout).toMatch(new RegExp(`^offhook ${name}`))
  })
})

test('a path is meant from where npm was called, not from the project folder', async () => {
  const cwd = join(tracesFolder, '15-internal-201-to-202')
  const { stdout } = await promisify(execFile)(
    'npm',
    ['run', '-s', 'offhook', '--', 'derive', 'cel.csv'],
    { cwd },
  )
  const { stdout: byFullPath } = await runCommand(['derive', join(cwd, 'cel.csv')], {})
  expect(stdout).toBe(byFullPath)
  expect(stdout).toContain('"type":"call.ended"')
})

describe('what is not understood ends with 2', () => {
  test.each([
    [['strat'], 'offhook: there is no command "strat"; did you mean start?\n'],
    [['constructor'], 'offhook: there is no command "constructor"; offhook --help lists them\n'],
    [['start', '--fast'], expect.stringMatching(/^offhook start: Unknown option '--fast'/)],
    [['start', 'now'], expect.stringMatching(/^offhook start: Unexpected argument 'now'/)],
    [['derive'], expect.stringMatching(/^offhook derive: it is "derive <cel.csv>"/)],
    [['derive', 'cel.csv', '--country', 'au'], expect.stringContaining('two capital letters')],
    [['keys'], expect.stringMatching(/^offhook keys: it is "keys create <name>"/)],
    [['keys', 'create'], expect.stringMatching(/^offhook keys: it is "keys create <name>"/)],
    [['agent'], expect.stringMatching(/^offhook agent: it is "agent --server <url>/)],
    [
      ['agent', '--server', 'http://10.0.0.1:8420', '--token-file', '/nowhere'],
      expect.stringContaining('--server takes https://'),
    ],
    [
      ['agent', '--server', 'https://offhook.example.com', '--token-file', '/nowhere/token'],
      expect.stringContaining('/nowhere/token cannot be read (ENOENT).'),
    ],
    [
      ['agent', '--server', 'http://127.0.0.1:1', '--token-file', 'package.json'],
      expect.stringContaining('package.json does not hold an agent token (oha_…).'),
    ],
    [['keys', 'list', 'all'], expect.stringMatching(/^offhook keys: it is "keys create <name>"/)],
  ])('%j', async (args, stderr) => {
    await using data = await temporaryFolder()
    expect(await runCommand(args, { OFFHOOK_DATA: data.path })).toEqual({
      code: 2,
      stdout: '',
      stderr,
    })
  })
})

describe('keys', () => {
  test('are made, listed and revoked while the server runs, and count at once', async () => {
    await using data = await temporaryFolder()
    const env = { OFFHOOK_DATA: data.path }
    await using server = startCommand(['start'], env)
    await waitUntil(() => server.stdout().includes('Ctrl-C'), {
      what: 'Offhook is up',
      timeoutMs: 40_000,
    })
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(server.stdout())?.[0]
    const status = async (key: string) =>
      (await fetch(`${url}/api/v1/services`, { headers: { authorization: `Bearer ${key}` } }))
        .status

    const created = await runCommand(['keys', 'create', 'billing'], env)
    const key = created.stdout.trim()
    expect(key).toMatch(/^ohk_\S+$/)
    expect(await status(key)).toBe(200)

    const listed = await runCommand(['keys', 'list'], env)
    const id = /^(key_\S+) .* billing$/m.exec(listed.stdout)?.[1] ?? ''
    expect(listed.stdout).toMatch(/ first key$/m)
    expect(listed.stdout).not.toContain(key)

    expect((await runCommand(['keys', 'revoke', id], env)).code).toBe(0)
    expect(await status(key)).toBe(401)
    const again = await runCommand(['keys', 'revoke', id], env)
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining(`no key ${id}`) })
    const first = (await readFile(join(data.path, 'api-key'), 'utf8')).trim()
    expect(await status(first)).toBe(200)
  })
})

test('a command where there is no database says so, and makes none', async () => {
  await using data = await temporaryFolder()
  await mkdir(join(data.path, 'empty'))
  for (const [name, ...args] of [
    ['empty', 'deliveries'],
    ['missing', 'deliveries'],
    ['empty', 'keys', 'create', 'billing'],
  ] as const) {
    const folder = join(data.path, name)
    expect(await runCommand(args, { OFFHOOK_DATA: folder })).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`There is no Offhook database in ${folder}: OFFHOOK_DATA `),
    })
  }
  expect(await readdir(data.path, { recursive: true })).toEqual(['empty'])
})

test('derive of what is no file says so, and prints nothing', async () => {
  await using folder = await temporaryFolder()
  const missing = join(folder.path, 'cel.csv')
  for (const [path, sentence] of [
    [missing, `There is no file ${missing}.`],
    [folder.path, `${folder.path} is not a file.`],
  ] as const) {
    const outcome = await runCommand(['derive', path], {})
    expect(outcome).toEqual({ code: 1, stdout: '', stderr: `offhook derive: ${sentence}\n` })
  }
})

test('derive of a long file ends at the first Ctrl-C, without a word', async () => {
  await using folder = await temporaryFolder()
  const long = join(folder.path, 'cel.csv')
  const call = await readFile(`${tracesFolder}/04-inbound-ivr-option2-answered/cel.csv`, 'utf8')
  await writeFile(long, call.repeat(3_000))
  await using run = startCommand(['derive', long], {})
  await waitUntil(() => run.stdout() !== '', { what: 'the first events', timeoutMs: 20_000 })
  run.child.kill('SIGINT')
  const { code, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
})

test('a reader that goes away ends the command without a word', async () => {
  await using run = startCommand(['--help'], {})
  run.child.stdout?.destroy()
  const { code, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
