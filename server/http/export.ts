/**
 * Exports: a whole list as CSV or NDJSON, streamed. It is read page by page as the client takes it, so that memory holds
 * one page however long the list is, and between two pages nothing is open in the database: a client that reads slowly
 * holds up neither deliveries nor other readers.
 *
 * What happens when: the client goes away: the reading stops with the page under way. It stands still for a minute: its
 * connection is cut. The server stops: exports are cut at once, a stop does not wait for them. A page cannot be read: the
 * connection is cut. A cut is seen by the client as an answer without its end, never as a shorter list.
 */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { type ExportName, exportColumns, formatTypes, type ListFormat } from '#contracts/export.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import { type CsvValue, csvLine } from '#server/domain/csv.ts'
import { ProblemError } from '#server/http/problem-error.ts'

export interface Export<T> {
  readonly name: ExportName
  readonly format: Exclude<ListFormat, 'json'>
  readonly accountId: string
  readonly page: (page: PageRequest) => Promise<Page<T>>
  /** Items read at a time. */
  readonly pageSize: number
}

export interface Exports {
  /** Answers with the whole list. Throws `too_many_exports`, and what the first page throws. */
  readonly send: <T>(
    request: FastifyRequest,
    reply: FastifyReply,
    list: Export<T>,
  ) => Promise<unknown>
  /** Cuts those under way. */
  readonly cut: () => void
}

interface Limits {
  /** How long a client may take nothing. */
  readonly stallMs: number
  /** Of one account, at the same time. */
  readonly most: number
}

/** Few writes for the kernel, and little to lose. */
const chunkLength = 64 * 1024

export function createExports(
  log: Logger,
  { stallMs, most }: Limits = { stallMs: 60_000, most: 4 },
): Exports {
  const streams = new Set<Readable>()
  const counts = new Map<string, number>()
  const count = (accountId: string, by: 1 | -1) => {
    const now = (counts.get(accountId) ?? 0) + by
    if (now === 0) counts.delete(accountId)
    else counts.set(accountId, now)
  }

  return {
    async send(request, reply, list) {
      if ((counts.get(list.accountId) ?? 0) >= most) throw new ProblemError('too_many_exports')
      count(list.accountId, 1)
      const stream = await open(list, stallMs).catch((error: unknown) => {
        count(list.accountId, -1)
        throw error
      })
      streams.add(stream)
      stream.once('close', () => {
        streams.delete(stream)
        count(list.accountId, -1)
      })
      stream.once('error', (error) => {
        log.warn({ request_id: request.id, list: list.name, err: error }, 'an export was cut')
      })
      const day = new Date().toISOString().slice(0, 10)
      const parameters = list.format === 'csv' ? 'charset=utf-8; header=present' : 'charset=utf-8'
      return await reply
        .type(`${formatTypes[list.format]}; ${parameters}`)
        .header('content-disposition', `attachment; filename="${list.name}-${day}.${list.format}"`)
        .send(stream)
    },
    cut() {
      for (const stream of streams) stream.destroy(new Error('the server stops'))
    },
  }
}

/** Reads the first page before there is a stream: what goes wrong with it is still an answer of its own. */
async function open<T>(list: Export<T>, stallMs: number): Promise<Readable> {
  const first = await list.page({ limit: list.pageSize })
  const stream: Readable = Readable.from(
    patiently(exportChunks(list, first), stallMs, () => {
      stream.destroy(new Error(`the client took nothing for ${stallMs / 1000} s`))
    }),
  )
  return stream
}

/** What `exportChunks` writes. */
export type ExportedList<T> = Omit<Export<T>, 'accountId'>

/** The text of the whole list, in pieces, from its first page on. */
export async function* exportChunks<T>(
  { name, format, page, pageSize }: ExportedList<T>,
  first: Page<T>,
): AsyncGenerator<string> {
  const line = format === 'csv' ? csvLineOf(name) : (item: T) => `${JSON.stringify(item)}\n`
  let text = format === 'csv' ? csvLine(exportColumns[name]) : ''
  let at: Page<T> | null = first
  while (at !== null) {
    for (const item of at.items) {
      text += line(item)
      if (text.length < chunkLength) continue
      yield text
      text = ''
    }
    at = at.next_cursor === null ? null : await page({ limit: pageSize, cursor: at.next_cursor })
  }
  if (text !== '') yield text
}

/** Calls `onStall` when whoever reads lets a chunk lie for so long. */
async function* patiently(
  chunks: AsyncIterable<string>,
  stallMs: number,
  onStall: () => void,
): AsyncGenerator<string> {
  for await (const chunk of chunks) {
    const timer = setTimeout(onStall, stallMs)
    try {
      yield chunk
    } finally {
      clearTimeout(timer)
    }
  }
}

function csvLineOf(name: ExportName): (item: unknown) => string {
  const paths = exportColumns[name].map((column) => column.split('.'))
  return (item) => csvLine(paths.map((path) => valueAt(item, path)))
}

function valueAt(item: unknown, path: readonly string[]): CsvValue {
  let at = item
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return null
    at = (at as Readonly<Record<string, unknown>>)[step]
  }
  if (at === undefined || at === null) return null
  if (typeof at === 'string' || typeof at === 'number' || typeof at === 'boolean') return at
  return JSON.stringify(at)
}
