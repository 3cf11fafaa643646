import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

/** A fresh clone, as far as the set-up looks at one. */
async function freshClone(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-set-up-test-'))
  folders.push(folder)
  for (const path of ['package.json', 'package-lock.json', 'scripts/set-up.mjs']) {
    await cp(join(projectFolder, path), join(folder, path))
  }
  return folder
}

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function setUp(folder: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const script = join(folder, 'scripts/set-up.mjs')
  return new Promise((resolve) => {
    const { npm_execpath: _, ...inherited } = process.env
    execFile(
      process.execPath,
      [script],
      { env: { ...inherited, ...env } },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

/** A port on which nobody listens: one that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('with everything installed it does nothing and says nothing', async () => {
  const folder = await freshClone()
  await symlink(join(projectFolder, 'node_modules'), join(folder, 'node_modules'))
  const before = await readdir(folder)
  expect(await setUp(folder)).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await readdir(folder)).toEqual(before)
})

test('a registry that cannot be reached is one sentence and a non-zero exit', async () => {
  const folder = await freshClone()
  const registry = `http://127.0.0.1:${await closedPort()}/`
  const outcome = await setUp(folder, {
    npm_config_registry: registry,
    npm_config_cache: join(folder, 'cache'),
  })
  expect(outcome).toMatchObject({ code: 1, stdout: '' })
  expect(outcome.stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/^Installing dependencies/),
    expect.stringMatching(/^Offhook cannot be set up: the npm registry cannot be reached \(ECONN/),
  ])
}, 60_000)

test('an installation that was killed half-way is done again', async () => {
  const folder = await freshClone()
  await mkdir(join(folder, 'node_modules'))
  await writeFile(join(folder, 'node_modules/.package-lock.json'), '{"packages": {"node_mod')
  const outcome = await setUp(folder, {
    npm_config_registry: `http://127.0.0.1:${await closedPort()}/`,
    npm_config_cache: join(folder, 'cache'),
  })
  expect(outcome.stderr).toMatch(/^Installing dependencies/)
}, 60_000)
