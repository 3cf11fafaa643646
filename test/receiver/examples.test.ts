/** The receivers of `examples/receivers`, each as a process, with what a deliverer would send. */
import { execFile, spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { projectFolder } from '#server/config.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { listening, portOf } from '#test/support/sending.ts'
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

async function startExample({ name, program, args }: Example, more: Record<string, string> = {}) {
  await using parts = new AsyncDisposableStack()
  const seen = await mkdtemp(join(tmpdir(), 'offhook-seen-'))
  parts.defer(async () => await rm(seen, { recursive: true }))
  const port = await freeTcpPort()
  const child = spawn(program, args(port), {
    cwd: join(folder, name),
    env: {
      ...{ PATH: process.env.PATH ?? '', SECRET: secret, PORT: String(port), SEEN: seen },
      ...{ DATABASE: join(seen, 'calls.db'), FOLDER: seen },
      ...{ API: 'http://127.0.0.1:9', API_KEY: 'ohk_x', ...more },
    },
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
    ...{ seen, output: () => output },
    async post(body: string | ReadableStream, headers: Record<string, string>) {
      const all = { 'content-type': 'application/json', ...headers }
      const asked = { method: 'POST', body, headers: all, duplex: 'half' as const }
      return (await fetch(url, asked)).status
    },
    /** As a deliverer sends it. */
    async deliver(body: string, id: string) {
      return await this.post(body, {
        ...signatureHeaders({ id, at: Date.now(), body }, [secret]),
      })
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

  test('takes a payload of any fields; answers what is no JSON, and no object', async ({
    skip,
  }) => {
    if (!(await isThere(example.program))) return skip(`${example.program} is not on this machine`)
    await using receiver = await startExample(example)
    const mapped = JSON.stringify({ number: '0301234567' })
    expect(await receiver.deliver(mapped, 'evt_mapped')).toBe(204)
    expect(await receiver.deliver(mapped, 'evt_mapped')).toBe(204)
    const lines = () => receiver.output().split('evt_mapped').length - 1
    await waitUntil(() => lines() > 0, { what: 'the event is told' })
    expect(lines()).toBe(1)
    // The library has no code of its own for what is signed and no JSON.
    const refused = example.program === process.execPath ? 401 : 400
    expect(await receiver.deliver('a=1', 'evt_form')).toBe(refused)
    for (const other of ['null', '5', '"text"', '[1]']) {
      const expected = example.name === 'python' ? 400 : 204
      expect(await receiver.deliver(other, `evt_${other}`)).toBe(expected)
    }
  }, 30_000)
})

const apps: readonly Example[] = [
  { name: '../billing', program: process.execPath, args: () => ['receiver.js'] },
  { name: '../nps', program: process.execPath, args: () => ['app.js'] },
]

test.for([...examples, ...apps])(
  '$name keeps no large body of a stranger',
  async (example, { skip }) => {
    if (!(await isThere(example.program))) return skip(`${example.program} is not on this machine`)
    await using receiver = await startExample(example)
    const large = 'x'.repeat(1024 * 1024 + 1)
    for (const body of [large, new Blob([large]).stream()]) {
      // Python cuts the connection behind its answer: then the body may not get so far.
      const status = await receiver.post(body, {}).catch(() => 'cut')
      expect(example.name === 'python' ? [411, 413, 'cut'] : [413]).toContain(status)
    }
    expect(await receiver.post('x'.repeat(1024 * 1024), {})).toBe(401)
  },
)

const programs = [...examples.filter(({ name }) => name !== 'php'), ...apps]

describe.each(programs)('$name, set up wrongly', ({ name, program, args }) => {
  async function fails(env: Record<string, string>): Promise<string> {
    const seen = await mkdtemp(join(tmpdir(), 'offhook-wrong-'))
    const asked = { PATH: process.env.PATH ?? '', FOLDER: seen, DATABASE: join(seen, 'calls.db') }
    try {
      const { stdout } = await promisify(execFile)(program, args(0), {
        cwd: join(folder, name),
        env: { ...asked, API: 'http://127.0.0.1:9', API_KEY: 'ohk_x', ...env },
        timeout: 10_000,
      })
      throw new Error(`it ended well: ${stdout}`)
    } catch (error) {
      const { code, stderr } = error as { readonly code: unknown; readonly stderr: string }
      expect(code).toBe(1)
      return stderr.trim()
    } finally {
      await rm(seen, { recursive: true })
    }
  }

  // An empty key is a key: anybody could sign with it. The library refuses it, Python's standard library does not.
  const secrets = [undefined, '', 's3cret', ...(name === 'python' ? ['whsec_'] : [])]
  test.each(secrets)('a secret %j', async (wrong) => {
    const why = await fails(wrong === undefined ? {} : { SECRET: wrong })
    expect(why).toMatch(/^SECRET .*whsec_[^\n]*$/)
  })

  test('a port that is taken', async () => {
    const taken = createServer()
    await listening(taken)
    try {
      const why = await fails({ SECRET: secret, PORT: String(portOf(taken)) })
      expect(why.split('\n')).toHaveLength(1)
      expect(why).toMatch(/in use/)
      expect(why).toContain(`127.0.0.1:${portOf(taken)}`)
    } finally {
      taken.close()
    }
  })
})

const phpExample = examples.find(({ name }) => name === 'php') as Example

test('PHP without a secret, or with an empty one, takes nothing, and says why', async ({
  skip,
}) => {
  if (!(await isThere(php))) return skip('PHP is not on this machine')
  const example = phpExample
  const body = nativeBody(event)
  const mac = createHmac('sha256', '').update(
    `${event.id}.${Math.floor(Date.now() / 1000)}.${body}`,
  )
  const forged = {
    'webhook-id': event.id,
    'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
    'webhook-signature': `v1,${mac.digest('base64')}`,
  }
  for (const wrong of ['', 'whsec_']) {
    await using receiver = await startExample(example, { SECRET: wrong })
    expect(await receiver.post(body, forged)).toBe(500)
    expect(receiver.output()).toContain('SECRET must be')
  }
})

test('PHP keeps the ids where it is told, and for days; where it cannot the event is to come again', async ({
  skip,
}) => {
  if (!(await isThere(php))) return skip('PHP is not on this machine')
  const body = nativeBody(event)
  for (const [wrong, why] of [
    ['', 'SEEN must be'],
    ['/proc/offhook', 'mkdir'],
  ] as const) {
    await using receiver = await startExample(phpExample, { SEEN: wrong })
    expect(await receiver.deliver(body, event.id)).toBe(500)
    await waitUntil(() => receiver.output().includes(why), { what: 'it says why' })
  }
  await using receiver = await startExample(phpExample)
  const fourDaysAgo = Date.now() / 1000 - 4 * 86_400
  for (const name of ['old', 'fresh']) await writeFile(join(receiver.seen, name), 'done')
  await utimes(join(receiver.seen, 'old'), fourDaysAgo, fourDaysAgo)
  expect(await receiver.deliver(body, event.id)).toBe(204)
  const kept = await readdir(receiver.seen)
  expect(kept).toContain('fresh')
  expect(kept).not.toContain('old')
})
