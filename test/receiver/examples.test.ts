/** The receivers of `examples/receivers`, each as a process, with what a deliverer would send. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { projectFolder } from '#server/config.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const secret = newSecret(Buffer.from('0123456789abcdef01234567'))
const other = newSecret(Buffer.from('another secret, 24 bytes'))
const event = eventSamples['call.ended']
const folder = join(projectFolder, 'examples/receivers')

interface Example {
  readonly name: string
  readonly program: string
  readonly args: (port: number) => readonly string[]
}

const fetchedPhp = join(projectFolder, '.offhook/tools/php/php')
/** `scripts/get-php.sh` fetches one where the machine has none. */
const php = existsSync(fetchedPhp) ? fetchedPhp : 'php'

const examples: readonly Example[] = [
  { name: 'express', program: process.execPath, args: () => ['receiver.js'] },
  { name: 'fastify', program: process.execPath, args: () => ['receiver.js'] },
  { name: 'python', program: 'python3', args: () => ['receiver.py'] },
  { name: 'php', program: php, args: (port) => ['-S', `127.0.0.1:${port}`, 'receiver.php'] },
]

const isThere = async (program: string) =>
  await promisify(execFile)(program, ['--version']).then(
    () => true,
    () => false,
  )

async function startExample({ name, program, args }: Example) {
  await using parts = new AsyncDisposableStack()
  const seen = await mkdtemp(join(tmpdir(), 'offhook-seen-'))
  parts.defer(async () => await rm(seen, { recursive: true }))
  const port = await freeTcpPort()
  const child = spawn(program, args(port), {
    cwd: join(folder, name),
    env: { PATH: process.env.PATH ?? '', SECRET: secret, PORT: String(port), SEEN: seen },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  parts.defer(async () => {
    child.kill()
    await exited
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  const url = `http://127.0.0.1:${port}/`
  const listens = async () =>
    await fetch(url).then(
      () => true,
      () => false,
    )
  await waitUntil(listens, { what: `the ${name} example listens`, timeoutMs: 15_000 })
  const opened = parts.move()
  return {
    output: () => output,
    async post(body: string, headers: Record<string, string>) {
      const all = { 'content-type': 'application/json', ...headers }
      return (await fetch(url, { method: 'POST', body, headers: all })).status
    },
    [Symbol.asyncDispose]: async () => await opened.disposeAsync(),
  }
}

describe.each(examples)('$name', (example) => {
  test('takes what is signed, once; refuses the rest', async ({ skip }) => {
    if (!(await isThere(example.program))) return skip(`${example.program} is not on this machine`)
    await using receiver = await startExample(example)
    const body = nativeBody(event)
    const headers = (secrets: readonly string[], at = Date.now(), id = event.id) => ({
      ...signatureHeaders({ id, at, body }, secrets),
    })
    expect(await receiver.post(body, headers([other]))).toBe(401)
    expect(await receiver.post(body.replace('Anna', 'Eve'), headers([secret]))).toBe(401)
    expect(await receiver.post(body, headers([secret], Date.now() - 600_000))).toBe(401)
    expect(await receiver.post(body, {})).toBe(401)
    expect(receiver.output()).not.toContain(event.id)

    expect(await receiver.post(body, headers([secret]))).toBe(204)
    expect(await receiver.post(body, headers([other, secret]))).toBe(204)
    const lines = () => receiver.output().split(`${event.type} ${event.id}`).length - 1
    await waitUntil(() => lines() > 0, { what: 'the event is told' })
    expect(lines()).toBe(1)
  }, 30_000)
})
