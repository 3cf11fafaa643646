/** The receiver library in a real browser: the file as it is, loaded from an HTTP server as an ES module. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import type * as Receiver from '#receiver/index.js'
import { projectFolder } from '#server/config.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'
import { startBrowser, withoutBrowser } from '#test/support/browser.ts'
import { listening, portOf } from '#test/support/sending.ts'

const secret = newSecret(Buffer.from('0123456789abcdef01234567'))
const other = newSecret(Buffer.from('another secret, 24 bytes'))
const id = 'evt_1'
const body = '{"id":"evt_1","type":"call.ended","name":"Zoë ☎ 電話 \u{1f4de}"}'
const at = Date.parse('2026-11-22T20:15:00.000Z')

const html = `<!doctype html><title>receiver</title>
<script type="module">import * as receiver from '/index.js'; globalThis.receiver = receiver</script>`

/** A page that the library is served to; `address` is the host part of its URL. */
async function openPage(address: string) {
  await using parts = new AsyncDisposableStack()
  const library = await readFile(join(projectFolder, 'receiver/index.js'))
  const server = createServer((request, response) => {
    const isLibrary = request.url === '/index.js'
    response.setHeader('content-type', isLibrary ? 'text/javascript' : 'text/html')
    response.end(isLibrary ? library : html)
  })
  await listening(server)
  parts.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const browser = parts.use(
    await startBrowser([`--host-resolver-rules=MAP ${address} 127.0.0.1:${portOf(server)}`]),
  )
  const page = await browser.newPage()
  await page.goto(
    address === '127.0.0.1' ? `http://127.0.0.1:${portOf(server)}/` : `http://${address}/`,
  )
  const opened = parts.move()
  return { page, [Symbol.asyncDispose]: async () => await opened.disposeAsync() }
}

/** What the script of the page has made. */
interface Loaded {
  readonly receiver: typeof Receiver
}

interface Request {
  readonly text: string
  readonly as: 'text' | 'bytes' | 'buffer'
  readonly headers: Readonly<Record<string, string>>
  readonly secrets: readonly string[]
  readonly now: number
}

/** What `verify` gives in the page, or the code of its error, or the error's name and message. */
async function verifyIn(page: Page, request: Partial<Request> = {}): Promise<unknown> {
  const signed: Request = {
    text: body,
    as: 'text',
    headers: { ...signatureHeaders({ id, at, body }, [secret]) },
    secrets: [secret],
    now: at,
    ...request,
  }
  return await page.evaluate(async ({ text, as, headers, secrets, now }) => {
    const { verify, VerificationError } = (globalThis as unknown as Loaded).receiver
    const bytes = new TextEncoder().encode(text)
    const given = { text, bytes, buffer: bytes.buffer }[as]
    try {
      return await verify<unknown>(given, new Headers(headers), secrets, { now })
    } catch (error) {
      return error instanceof VerificationError ? error.code : String(error)
    }
  }, signed)
}

describe.skipIf(withoutBrowser !== null)(`in Chromium ${withoutBrowser ?? ''}`, () => {
  test('verifies what is signed, and refuses the rest', async () => {
    await using opened = await openPage('127.0.0.1')
    const { page } = opened
    const event = JSON.parse(body)
    for (const as of ['text', 'bytes', 'buffer'] as const) {
      expect(await verifyIn(page, { as })).toEqual(event)
    }
    const rotated = { ...signatureHeaders({ id, at, body }, [other, secret]) }
    expect(await verifyIn(page, { headers: rotated })).toEqual(event)
    expect(await verifyIn(page, { secrets: [other, secret] })).toEqual(event)

    expect(await verifyIn(page, { secrets: [other] })).toBe('no_match')
    expect(await verifyIn(page, { text: body.replace('Zoë', 'Zoe') })).toBe('no_match')
    expect(await verifyIn(page, { now: at + 301_000 })).toBe('too_old')
    expect(await verifyIn(page, { now: at - 301_000 })).toBe('too_new')
    expect(await verifyIn(page, { headers: {} })).toBe('missing_header')
    expect(await verifyIn(page, { secrets: ['s3cret'] })).toContain('whsec_')
  })

  test('does the work of an event once', async () => {
    await using opened = await openPage('127.0.0.1')
    const times = await opened.page.evaluate(async () => {
      const { memoryStore, once } = (globalThis as unknown as Loaded).receiver
      const store = memoryStore()
      let done = 0
      await Promise.all([1, 2, 3].map(() => once(store, 'evt_1', () => (done += 1))))
      return done
    })
    expect(times).toBe(1)
  })

  test('says so where the page has no WebCrypto, for it came by plain http from elsewhere', async () => {
    await using opened = await openPage('receiver.example')
    expect(await verifyIn(opened.page)).toContain('There is no WebCrypto here')
  })
})
