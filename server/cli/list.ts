/** What the lists of events, deliveries and attempts have in common: their options, and how they are written. */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { ExportName } from '#contracts/export.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { serviceNames, uuidOf, webhookIdOf } from '#server/cli/named.ts'
import { optionsBy } from '#server/cli/options.ts'
import { timeOf } from '#server/cli/period.ts'
import { tableWithin } from '#server/cli/table.ts'
import { exportChunks } from '#server/http/export.ts'
import { StartError } from '#server/start-error.ts'
import type { Store } from '#server/store/store.ts'

export const outputHelp = `  --limit <count>      at most so many; when absent 50 in the table, and all as csv or ndjson
  --format <format>    table (when absent), csv or ndjson`

const shownUnlessAsked = 50
/** Whole tables are kept in memory, and read a piece at a time. */
const pieceOfTable = 500
const Format = z.enum(['table', 'csv', 'ndjson'])
const Count = z.stringFormat('count', /^[1-9]\d{0,8}$/).transform(Number)

export interface Output {
  readonly format: z.infer<typeof Format>
  readonly limit: number | undefined
}

/** What is given by a name is found in the database. */
export interface Named {
  readonly webhook: string | undefined
  readonly service: string | undefined
}

interface Asked<Q> {
  readonly query: Q
  readonly named: Named
  readonly output: Output
}

/** `fields` has the options beside those of every list, with their fields in the API. Throws StartError `usage`. */
export function parseList<S extends z.ZodType>(
  args: readonly string[],
  schema: S,
  fields: Readonly<Record<string, string>>,
): Asked<z.output<S>> {
  const own = Object.keys(fields).filter((name) => name !== 'webhook' && name !== 'service')
  const all = [...Object.keys(fields), 'since', 'until', 'limit', 'format']
  const options = Object.fromEntries(all.map((name) => [name, { type: 'string' } as const]))
  const { values } = parseArgs({ args: [...args], options })
  const given = (name: string) => values[name] as string | undefined
  const format = Format.safeParse(values.format ?? 'table')
  if (!format.success) throw new StartError('usage', '--format is table, csv or ndjson.')
  const limit = Count.optional().safeParse(values.limit)
  if (!limit.success) throw new StartError('usage', '--limit is a whole number from 1 on.')
  const now = Date.now()
  const at = (option: 'since' | 'until') => {
    const time = given(option)
    return time === undefined ? undefined : new Date(timeOf(`--${option}`, time, now)).toISOString()
  }
  const asked = Object.fromEntries(own.map((name) => [name, given(name)]))
  return {
    query: optionsBy(schema, { ...asked, since: at('since'), until: at('until') }, fields),
    named: { webhook: given('webhook'), service: given('service') },
    output: { format: format.data, limit: limit.data },
  }
}

/** The fields of a query for what was named. Throws StartError `usage`. */
export async function idsOf(store: Store, accountId: string, { webhook, service }: Named) {
  return {
    ...(webhook !== undefined && { webhook_id: await webhookIdOf(store, accountId, webhook) }),
    ...(service !== undefined && {
      service_uuid: uuidOf(service, await serviceNames(store, accountId)),
    }),
  }
}

export interface Listed<T> {
  readonly name: ExportName
  /** Items read at a time for csv and ndjson. */
  readonly pageSize: number
  readonly page: (page: PageRequest) => Promise<Page<T>>
  readonly headings: readonly string[]
  /** The heading of a column that the table goes without where the terminal is too narrow for it. */
  readonly spare?: string
  readonly rows: (
    items: readonly T[],
  ) => readonly (readonly string[])[] | Promise<readonly (readonly string[])[]>
  /** What to do where there is none. */
  readonly hint?: string
}

export async function writeList<T>(
  io: CommandIo,
  { format, limit }: Output,
  listed: Listed<T>,
): Promise<void> {
  if (format === 'table') {
    await writeTable(io, limit ?? shownUnlessAsked, listed)
    return
  }
  const { name, pageSize } = listed
  const page = limit === undefined ? listed.page : upTo(limit, listed.page)
  const first = await page({ limit: pageSize })
  for await (const chunk of exportChunks({ name, format, page, pageSize }, first)) {
    io.signal.throwIfAborted()
    await io.write(chunk)
  }
}

/** The pages of a list that ends after so many items. */
function upTo<T>(limit: number, page: Listed<T>['page']): Listed<T>['page'] {
  let left = limit
  return async (wanted) => {
    const { items, next_cursor } = await page({ ...wanted, limit: Math.min(wanted.limit, left) })
    left -= items.length
    return { items, next_cursor: left > 0 ? next_cursor : null }
  }
}

async function writeTable<T>(
  io: CommandIo,
  most: number,
  { name, page: list, headings, spare, rows: rowsOf, hint }: Listed<T>,
): Promise<void> {
  const rows: (readonly string[])[] = []
  let cursor: string | undefined
  do {
    io.signal.throwIfAborted()
    const page = await list({ limit: Math.min(most - rows.length, pieceOfTable), cursor })
    rows.push(...(await rowsOf(page.items)))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined && rows.length < most)
  await io.write(tableWithin(io.columns, headings, rows, spare))
  if (rows.length === 0) io.warn(`There are no ${name}, or none that you ask for.`)
  if (rows.length === 0 && hint !== undefined) io.warn(hint)
  if (cursor !== undefined) {
    io.warn('There are more: --limit shows so many, --format csv or ndjson gives all of them.')
  }
}
