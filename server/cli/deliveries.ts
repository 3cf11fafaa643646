import { parseArgs } from 'node:util'
import { z } from 'zod'
import { api } from '#contracts/api.ts'
import type { Attempt, Delivery } from '#contracts/delivery.ts'
import type { ExportName } from '#contracts/export.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { timeOf } from '#server/cli/period.ts'
import { tableOf } from '#server/cli/table.ts'
import { withStore } from '#server/cli/with-store.ts'
import { exportChunks } from '#server/http/export.ts'
import { fieldErrors } from '#server/http/field-errors.ts'
import { deliveryFilterOf } from '#server/http/search.ts'
import { StartError } from '#server/start-error.ts'
import { searchAttempts } from '#server/store/attempt-search.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'

const filterHelp = `  --number <number>    of calls from or to this phone number or extension, in any way of writing
  --call <uuid>        of this call
  --webhook <id>       to this webhook
  --event <id>         of this event
  --type <type>        of events of this type
  --service <uuid>     of events of this service
  --state <state>      pending, leased, delivered, exhausted, held or cancelled
  --status <status>    the receiver answered 503, or 5xx
  --error <error>      the request failed with dns, timeout, connect_refused, status, …
  --since <time>       made since: 30min, 2h, 3d ago, or a time with its zone (2026-11-22T09:00Z)
  --until <time>       made before
  --format <format>    table (the newest 50, when absent), csv or ndjson (all of them)`

export const deliveriesHelp = `offhook deliveries [options]

Lists deliveries, newest first; with --status and --error by their last attempt.

${filterHelp}
`

export const attemptsHelp = `offhook attempts [options]

Lists the attempts of deliveries, those of the newest delivery first. --since and --until are the period in which
they began.

${filterHelp}
`

/** The options, by the names that the API has for them. */
const fields = {
  number: 'number',
  call: 'call_uuid',
  webhook: 'webhook_id',
  event: 'event_id',
  type: 'event_type',
  service: 'service_uuid',
  state: 'state',
  status: 'status_code',
  error: 'error',
} as const
const text = { type: 'string' } as const
const options = {
  number: text,
  call: text,
  webhook: text,
  event: text,
  type: text,
  service: text,
  state: text,
  status: text,
  error: text,
  since: text,
  until: text,
  format: text,
}

const shown = 50
const Format = z.enum(['table', 'csv', 'ndjson'])

export async function runDeliveries(args: readonly string[], io: CommandIo): Promise<void> {
  const { query, format } = parse(args)
  await withStore(io, async (store, { id }) => {
    const filter = await deliveryFilterOf(store, id, query)
    const page = (wanted: PageRequest) => listDeliveries(store, id, filter, wanted)
    await write(io, format, {
      name: 'deliveries',
      pageSize: 500,
      page,
      headings: deliveryHeadings,
      row: deliveryRow,
    })
  })
}

export async function runAttempts(args: readonly string[], io: CommandIo): Promise<void> {
  const { query, format } = parse(args)
  await withStore(io, async (store, { id }) => {
    const filter = await deliveryFilterOf(store, id, query)
    const page = (wanted: PageRequest) => searchAttempts(store, id, filter, wanted)
    await write(io, format, {
      name: 'attempts',
      pageSize: 50,
      page,
      headings: attemptHeadings,
      row: attemptRow,
    })
  })
}

/** By the schema of the API, so that both refuse the same. */
function parse(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options })
  const format = Format.safeParse(values.format ?? 'table')
  if (!format.success) throw new StartError('usage', '--format is table, csv or ndjson.')
  const now = Date.now()
  const at = (option: 'since' | 'until') => {
    const given = values[option]
    return given === undefined
      ? undefined
      : new Date(timeOf(`--${option}`, given, now)).toISOString()
  }
  const given: Record<string, unknown> = { since: at('since'), until: at('until') }
  for (const [option, field] of Object.entries(fields)) {
    given[field] = values[option as keyof typeof fields]
  }
  const schema = api.listDeliveries.query
  const parsed = schema.safeParse(given)
  if (parsed.success) return { query: parsed.data, format: format.data }
  const says = fieldErrors(schema, given, parsed.error).map(({ field, message }) => {
    const option = Object.entries(fields).find(([, name]) => name === field)?.[0] ?? field
    return `--${option}: ${message}`
  })
  throw new StartError('usage', `${says.join('; ')}.`)
}

interface Listed<T> {
  readonly name: ExportName
  readonly pageSize: number
  readonly page: (page: PageRequest) => Promise<Page<T>>
  readonly headings: readonly string[]
  readonly row: (item: T) => readonly string[]
}

async function write<T>(
  io: CommandIo,
  format: z.infer<typeof Format>,
  listed: Listed<T>,
): Promise<void> {
  if (format === 'table') {
    await writeTable(io, listed)
    return
  }
  const { name, pageSize, page } = listed
  const first = await page({ limit: pageSize })
  for await (const chunk of exportChunks({ name, format, page, pageSize }, first)) {
    io.signal.throwIfAborted()
    await io.write(chunk)
  }
}

async function writeTable<T>(
  io: CommandIo,
  { name, page: list, headings, row }: Listed<T>,
): Promise<void> {
  const rows: (readonly string[])[] = []
  let cursor: string | undefined
  do {
    io.signal.throwIfAborted()
    const page = await list({ limit: shown - rows.length, cursor })
    rows.push(...page.items.map(row))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined && rows.length < shown)
  await io.write(tableOf(headings, rows))
  if (rows.length === 0) io.warn(`There are no ${name}, or none that you ask for.`)
  if (cursor !== undefined) io.warn('There are more; --format csv or ndjson gives all of them.')
}

const deliveryHeadings = [
  ...['MADE', 'ID', 'STATE', 'TRIES', 'LAST'],
  ...['TYPE', 'EVENT', 'WEBHOOK', 'BECAUSE'],
]

function deliveryRow(delivery: Delivery): readonly string[] {
  const { created_at, id, state, attempts, event_type, event_id, webhook_id } = delivery
  const { last_status_code, last_error, held_because, given_up_because } = delivery
  const last = `${last_status_code ?? last_error ?? '-'}`
  const tooLong = given_up_because === 'waited_too_long' ? given_up_because : ''
  const because = held_because ?? tooLong
  return [created_at, id, state, `${attempts}`, last, event_type, event_id, webhook_id, because]
}

const attemptHeadings = ['BEGAN', 'DELIVERY', 'TRY', 'TOOK', 'ANSWER', 'DECISION']

function attemptRow(attempt: Attempt): readonly string[] {
  const { started_at, delivery_id, number, duration_ms, status_code, error } = attempt
  const { error_detail, decision } = attempt
  const answer = `${status_code ?? error ?? '-'}`
  const says = [error_detail, decision].filter((part) => part !== null).join(' ')
  return [started_at, delivery_id, `${number}`, `${duration_ms} ms`, answer, says]
}
