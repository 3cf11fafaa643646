/** The receiver library against what the server signs, and what the official libraries sign. */
import { execFile, spawn } from 'node:child_process'
import { once as onceEvent } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import {
  type EventOf,
  memoryStore,
  once,
  VerificationError,
  verify,
  verifySignature,
} from '#receiver/index.js'
import { projectFolder } from '#server/config.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'
import { oneWebhook, signingSecret } from '#test/pipeline/one-webhook.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { listening, portOf } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const at = Date.parse('2026-11-22T20:15:00.000Z')
const secret = newSecret(Buffer.from('0123456789abcdef01234567'))
const other = newSecret(Buffer.from('another secret, 24 bytes'))
const sample = eventSamples['call.ended']
const body = nativeBody(sample)

const headersBy = (...secrets: string[]) => ({
  ...signatureHeaders({ id: sample.id, at, body }, secrets),
})
const codeOf = async (verifying: Promise<unknown>) => {
  const error = await verifying.then(
    () => null,
    (reason: unknown) => reason,
  )
  return error instanceof VerificationError ? error.code : error
}

describe('verify', () => {
  test.each(eventTypes)('%s', async (type) => {
    const event = eventSamples[type]
    const text = nativeBody(event)
    const headers = { ...signatureHeaders({ id: event.id, at, body: text }, [secret]) }
    expect(await verify(text, headers, secret, { now: at })).toEqual(event)
  })

  test.each([
    ['text', body],
    ['bytes', Buffer.from(body)],
    ['an ArrayBuffer', new Uint8Array(Buffer.from(body)).buffer],
  ])('takes the body as %s', async (_, given) => {
    expect(await verify(given, headersBy(secret), secret, { now: at })).toEqual(sample)
  })

  test('takes headers as the web has them', async () => {
    expect(await verify(body, new Headers(headersBy(secret)), secret, { now: at })).toEqual(sample)
  })

  test('takes what the official library signs', async () => {
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(at / 1000),
      'webhook-signature': new Webhook(secret).sign('msg_1', new Date(at), body),
    }
    expect(await verify(body, headers, secret, { now: at })).toEqual(sample)
  })

  test('during a rotation either secret does', async () => {
    for (const signed of [headersBy(secret), headersBy(other), headersBy(other, secret)]) {
      expect(await verify(body, signed, [secret, other], { now: at })).toEqual(sample)
    }
    expect(await verify(body, headersBy(other, secret), secret, { now: at })).toEqual(sample)
  })

  test.each([
    ['no_match', body, headersBy(other), 0],
    ['no_match', body.replace('Anna', 'Eve'), headersBy(secret), 0],
    ['no_match', body, { ...headersBy(secret), 'webhook-id': 'evt_2' }, 0],
    ['no_match', body, { ...headersBy(secret), 'webhook-signature': 'v1,%%% v2,x v1' }, 0],
    ['missing_header', body, { ...headersBy(secret), 'webhook-signature': '' }, 0],
    ['missing_header', body, {}, 0],
    ['bad_timestamp', body, { ...headersBy(secret), 'webhook-timestamp': '1e3' }, 0],
    ['too_old', body, headersBy(secret), 301_000],
    ['too_new', body, headersBy(secret), -301_000],
  ])('%s', async (code, text, headers, later) => {
    expect(await codeOf(verify(text, headers, secret, { now: at + later }))).toBe(code)
  })

  test('not_json: signed, and none', async () => {
    const headers = { ...signatureHeaders({ id: 'evt_1', at, body: 'a=1' }, [secret]) }
    expect(await codeOf(verify('a=1', headers, secret, { now: at }))).toBe('not_json')
  })

  test('a mistake of the receiver’s own is no refusal of the request', async () => {
    const parsed = JSON.parse(body)
    expect(await codeOf(verify(parsed, headersBy(secret), secret))).toBeInstanceOf(TypeError)
    const wrong = await codeOf(verify(body, headersBy(secret), 's3cret', { now: at }))
    expect(wrong).toBeInstanceOf(TypeError)
    expect(String(wrong)).not.toContain('s3cret')
    for (const none of ['', 'whsec_', 'whsec_%', [], [secret, '']]) {
      expect(await codeOf(verify(body, headersBy(secret), none, { now: at }))).toBeInstanceOf(
        TypeError,
      )
    }
    // @ts-expect-error: JavaScript passes it all the same.
    expect(await codeOf(verify(body, undefined, secret))).toBeInstanceOf(TypeError)
  })

  test('a limit that is no number lets nothing through', async () => {
    for (const options of [
      { toleranceSeconds: Number.NaN },
      { toleranceSeconds: -1 },
      { now: Number.NaN },
    ]) {
      const verifying = verify(body, headersBy(secret), secret, { now: at, ...options })
      expect(await codeOf(verifying)).toBeInstanceOf(TypeError)
    }
    const old = { now: at + 86_400_000, toleranceSeconds: Number.POSITIVE_INFINITY }
    expect(await verify(body, headersBy(secret), secret, old)).toEqual(sample)
  })

  test('takes the names of headers as they came', async () => {
    const asTheyCame = Object.fromEntries(
      Object.entries(headersBy(secret)).map(([name, value]) => [name.toUpperCase(), value]),
    )
    expect(await verify(body, asTheyCame, secret, { now: at })).toEqual(sample)
  })

  test('a thousand signatures of a stranger cost as much as one', async () => {
    const large = Buffer.alloc(1_000_000, 97)
    const timed = async (count: number) => {
      const signatures = Array.from({ length: count }, () => `v1,${'A'.repeat(43)}=`).join(' ')
      const headers = { ...headersBy(secret), 'webhook-signature': signatures }
      const started = performance.now()
      expect(await codeOf(verify(large, headers, secret, { now: at }))).toBe('no_match')
      return performance.now() - started
    }
    await timed(1)
    // A HMAC of that body takes half a millisecond and more: one for each would be half a second.
    expect(await timed(1_000)).toBeLessThan((await timed(1)) + 100)
  })

  test('verifySignature: a body that is no JSON', async () => {
    const headers = { ...signatureHeaders({ id: 'evt_1', at, body: 'a=1' }, [secret]) }
    const signed = await verifySignature('a=1', headers, secret, { now: at })
    expect(signed).toEqual({ id: 'evt_1', sentAt: new Date(at) })
    expect(await codeOf(verifySignature('a=2', headers, secret, { now: at }))).toBe('no_match')
  })

  test('its types follow the type of the event', async () => {
    const event = await verify(body, headersBy(secret), secret, { now: at })
    if (event.type !== 'call.ended') throw new Error('another type')
    const ended: EventOf<'call.ended'> = event
    expect(ended.call.bill_duration).toBe(266)
  })
})

describe('once', () => {
  test('the same id twice at the same time: the work is done once', async () => {
    const store = memoryStore()
    let done = 0
    const work = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      done += 1
      return done
    }
    const results = await Promise.all([1, 2, 3].map(() => once(store, 'evt_1', work)))
    expect(results).toEqual([{ first: true, result: 1 }, { first: false }, { first: false }])
    expect(await once(store, 'evt_2', work)).toEqual({ first: true, result: 2 })
  })

  test('work that failed may be done again, by whoever waits', async () => {
    const store = memoryStore()
    let tries = 0
    const work = () => {
      tries += 1
      if (tries === 1) throw new Error('the database is away')
      return 'done'
    }
    const results = await Promise.allSettled([1, 2, 3].map(() => once(store, 'evt_1', work)))
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : null))).toEqual([
      null,
      { first: true, result: 'done' },
      { first: false },
    ])
  })

  test('an event without an id is no event that was seen', async () => {
    const store = memoryStore()
    const mapped: { id?: string } = {}
    for (const id of [mapped.id, '']) {
      // @ts-expect-error: JavaScript passes it all the same.
      await expect(once(store, id, () => null)).rejects.toThrow(TypeError)
    }
  })

  test('the error of the work is told, also where the store fails too', async () => {
    const away = async () => {
      throw new Error('the database is away')
    }
    const store = { begin: async () => true, done: away, failed: away }
    const work = () => {
      throw new Error('the work')
    }
    await expect(once(store, 'evt_1', work)).rejects.toThrow('the work')
  })

  test('what is remembered is bounded, by number and by time', async () => {
    let time = 0
    const store = memoryStore({ most: 2, keepMs: 1_000, now: () => time })
    const first = async (id: string) => (await once(store, id, () => null)).first
    expect([await first('a'), await first('b'), await first('c')]).toEqual([true, true, true])
    expect([await first('b'), await first('c'), await first('a')]).toEqual([false, false, true])
    time = 1_000
    expect(await first('a')).toBe(true)
  })
})

test('a resend: its work is done where it was not; each time, where the receiver says so', async () => {
  const store = memoryStore()
  let fails = true
  const work = () => {
    if (fails) throw new Error('the database is away')
  }
  await expect(once(store, 'evt_1', work)).rejects.toThrow('away')
  fails = false
  expect((await once(store, 'evt_1', work)).first).toBe(true)
  expect((await once(store, 'evt_1', work)).first).toBe(false)

  const again = async (time: string) => (await once(store, `evt_1 ${time}`, work)).first
  expect([await again('1'), await again('1'), await again('2')]).toEqual([true, false, true])
})

test('a request of the deliverer, received as the README shows', async () => {
  const seen: unknown[] = []
  const store = memoryStore()
  const server = createServer(async (request, response) => {
    const chunks = Buffer.concat(await Array.fromAsync(request))
    try {
      const event = await verify(chunks, request.headers, signingSecret)
      await once(store, event.id, () => seen.push(event))
      response.writeHead(204).end()
    } catch {
      response.writeHead(401).end()
    }
  })
  await listening(server)
  try {
    await using one = await oneWebhook({ url: `http://127.0.0.1:${portOf(server)}/` })
    expect(await one.deliver(sample)).toMatchObject({ ok: true, status_code: 204 })
    expect(seen).toMatchObject([{ id: sample.id, type: 'call.ended' }])
  } finally {
    server.close()
  }
})

/** Every Node on the machine that `which` finds; the tests themselves run on the newest. */
async function otherNodes(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('which', ['-a', 'node']).catch(() => ({
    stdout: '',
  }))
  return [
    ...new Set(stdout.split('\n').filter((path) => path !== '' && !/node_modules/.test(path))),
  ]
}

/** A folder where the package is installed as npm packs it, with the README's first example as `receive.js`. */
async function readmeProject() {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-readme-'))
  const installed = join(folder, 'node_modules/offhook-receiver')
  await mkdir(installed, { recursive: true })
  const run = promisify(execFile)
  await run('npm', ['pack', '--pack-destination', folder], { cwd: join(projectFolder, 'receiver') })
  const packed = join(folder, 'offhook-receiver-0.1.0.tgz')
  await run('tar', ['-xzf', packed, '-C', installed, '--strip-components=1'])
  const page = await readFile(join(installed, 'README.md'), 'utf8')
  const example = /```js\n(.*?)```/s.exec(page)?.[1] ?? ''
  await writeFile(join(folder, 'receive.mjs'), example)
  return { folder, files: await readdir(installed) }
}

/** Starts a receiver of the README, sends it what is signed (twice), old and too large; gives what it printed. */
async function outputOf(program: string, args: readonly string[], cwd: string, port: number) {
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH ?? '', DENO_DIR: cwd, SECRET: secret, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = onceEvent(child, 'exit')
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  const url = `http://127.0.0.1:${port}/`
  const post = async (headers: Record<string, string>, text: string | ReadableStream = body) =>
    (await fetch(url, { method: 'POST', body: text, headers, duplex: 'half' })).status
  try {
    await waitUntil(() => post({}).catch(() => null), { what: 'the receiver listens' })
    const fresh = { ...signatureHeaders({ id: sample.id, at: Date.now(), body }, [secret]) }
    expect(await post(fresh)).toBe(204)
    expect(await post(fresh)).toBe(204)
    expect(await post(headersBy(secret))).toBe(401)
    const large = 'x'.repeat(1024 * 1024 + 1)
    expect(await post({}, large)).toBe(413)
    expect(await post({}, new Blob([large]).stream())).toBe(413)
    // Another address of this machine, as that of its network is.
    await expect(fetch(url.replace('127.0.0.1', '127.0.0.2'))).rejects.toThrow('fetch failed')
    return output
  } finally {
    child.kill()
    await exited
  }
}

test('the package, and its README’s example in the Node of the machine, from 20 on', async ({
  skip,
}) => {
  const [node] = await otherNodes()
  if (node === undefined) return skip('there is no other Node')
  const { folder, files } = await readmeProject()
  try {
    expect(files).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'events.d.ts', 'index.d.ts']),
    )
    const output = await outputOf(node, ['receive.mjs'], folder, await freeTcpPort())
    expect(output).toBe(`${sample.type}\n`)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('runs in Deno, as the README shows', async () => {
  const page = await readFile(join(projectFolder, 'receiver/README.md'), 'utf8')
  const [, example = ''] = /```js\n([^`]*Deno\.serve.*?)```/s.exec(page) ?? []
  const library = String(new URL('../../receiver/index.js', import.meta.url))
  const port = await freeTcpPort()
  const script = example.replace("'offhook-receiver'", `'${library}'`).replace('9000', `${port}`)
  const folder = await mkdtemp(join(tmpdir(), 'offhook-deno-'))
  try {
    await writeFile(join(folder, 'receive.js'), script)
    const allowed = [`--allow-net=127.0.0.1:${port}`, '--allow-read', '--allow-env=SECRET']
    const args = ['run', '--no-config', '--no-lock', ...allowed, 'receive.js']
    const deno = join(projectFolder, 'node_modules/.bin/deno')
    expect(await outputOf(deno, args, folder, port)).toContain(`${sample.type}\n${sample.type}\n`)
  } finally {
    await rm(folder, { recursive: true })
  }
})
