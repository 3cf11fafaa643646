import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import fastify from 'fastify'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PageRequest } from '#contracts/page.ts'
import { createExports, type Export } from '#server/http/export.ts'
import { asProblem } from '#server/http/problem-error.ts'
import { waitUntil } from '#test/support/wait-until.ts'

interface Item {
  readonly id: string
}

const stallMs = 300
let parts: AsyncDisposableStack
beforeEach(() => {
  parts = new AsyncDisposableStack()
})
afterEach(async () => await parts.disposeAsync())

/** A list of `count` items of about 1 kB, on a real server; counts what was read of it. */
async function serveItems(count: number, change: Partial<Export<Item>> = {}) {
  const seen = { pages: 0 }
  const page = async ({ limit, cursor }: PageRequest) => {
    seen.pages += 1
    const from = Number(cursor ?? 0)
    const length = Math.min(limit, count - from)
    const items = Array.from({ length }, (_, i) => ({ id: `dlv_${from + i} ${'x'.repeat(1000)}` }))
    return { items, next_cursor: from + length < count ? String(from + length) : null }
  }
  const lines: { err?: { message: string } }[] = []
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const exports = createExports(log, { stallMs, most: 2 })
  const app = fastify()
  app.setErrorHandler(async (error, _, reply) => await reply.code(500).send(asProblem(error).code))
  app.get('/', async (request, reply) =>
    exports.send<Item>(request, reply, {
      name: 'deliveries',
      format: 'ndjson',
      accountId: 'acc_1',
      pageSize: 100,
      page,
      ...change,
    }),
  )
  app.addHook('preClose', async () => exports.cut())
  parts.defer(async () => await app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { seen, app, port, url: `http://127.0.0.1:${port}/`, log: lines }
}

/** A client that asks and then reads nothing until it is told to. */
async function ask(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  parts.defer(() => void socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  return socket
}

const many = 200_000

describe('an export', () => {
  test('has every item once, over many pages', async () => {
    const { url, seen } = await serveItems(1050)
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8')
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="deliveries-\d{4}-\d\d-\d\d\.ndjson"$/,
    )
    const lines = (await response.text()).trimEnd().split('\n')
    const ids = lines.map((line) => (JSON.parse(line) as Item).id.split(' ')[0])
    expect(ids).toEqual(Array.from({ length: 1050 }, (_, i) => `dlv_${i}`))
    expect(seen.pages).toBe(11)
  })

  test('of nothing is empty, as CSV it has its header', async () => {
    const empty = await serveItems(0)
    expect(await (await fetch(empty.url)).text()).toBe('')
    const csv = await serveItems(0, { format: 'csv' })
    expect(await (await fetch(csv.url)).text()).toMatch(/^id,[^\r\n]+\r\n$/)
  })

  test('is read no faster than its client takes it, and cut when that takes nothing', async () => {
    const { port, seen, log } = await serveItems(many)
    const socket = await ask(port)
    await waitUntil(() => log.length > 0, { what: 'the export is cut' })
    expect(log[0]?.err?.message).toContain('took nothing')
    // What the kernel's buffers hold, and not the 200 MB of the list.
    expect(seen.pages).toBeLessThan(many / 100 / 4)
    const read = seen.pages
    socket.resume()
    await once(socket, 'close')
    expect(seen.pages).toBe(read)
  })

  test('ends with the client that goes away, and makes room for another', async () => {
    const { port, url, seen } = await serveItems(many)
    const sockets = [await ask(port), await ask(port)]
    await waitUntil(() => seen.pages >= 4, { what: 'both exports run' })
    expect(await (await fetch(url)).text()).toBe('too_many_exports')
    for (const socket of sockets) socket.destroy()
    await waitUntil(async () => (await headersOf(url)) === 200, { what: 'there is room again' })
  })

  test('is cut at a stop, which does not wait, and the client sees that it is not whole', async () => {
    const { app, url } = await serveItems(many)
    const response = await fetch(url)
    const reader = response.body?.getReader()
    await reader?.read()
    const began = performance.now()
    await app.close()
    expect(performance.now() - began).toBeLessThan(stallMs)
    await expect(
      (async () => {
        while ((await reader?.read())?.done === false);
      })(),
    ).rejects.toThrow('terminated')
  })

  test('whose first page fails is a problem, whose later one fails is cut', async () => {
    const fails = async (): Promise<never> => {
      throw new Error('the disk is gone')
    }
    const first = await serveItems(1, { page: fails })
    expect((await fetch(first.url)).status).toBe(500)
    const items = [{ id: 'x'.repeat(100_000) }]
    const later = await serveItems(1, {
      page: async ({ cursor }) => (cursor === undefined ? { items, next_cursor: '1' } : fails()),
    })
    const response = await fetch(later.url)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow('terminated')
    expect(later.log[0]?.err?.message).toBe('the disk is gone')
  })
})

async function headersOf(url: string): Promise<number> {
  const abort = new AbortController()
  const { status } = await fetch(url, { signal: abort.signal })
  abort.abort()
  return status
}
