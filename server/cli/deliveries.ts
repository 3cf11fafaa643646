import { parseArgs } from 'node:util'
import { z } from 'zod'
import { api } from '#contracts/api.ts'
import type { Attempt, Delivery } from '#contracts/delivery.ts'
import type { ExportName } from '#contracts/export.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { timeOf } from '#server/cli/period.ts'
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
    await write(io, format, { name: 'deliveries', pageSize: 500, page, line: deliveryLine })
  })
}

export async function runAttempts(args: readonly string[], io: CommandIo): Promise<void> {
  const { query, format } = parse(args)
  await withStore(io, async (store, { id }) => {
    const filter = await deliveryFilterOf(store, id, query)
    const page = (wanted: PageRequest) => searchAttempts(store, id, filter, wanted)
    await write(io, format, { name: 'attempts', pageSize: 50, page, line: attemptLine })
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
  readonly line: (item: T) => string
}

async function write<T>(
  io: CommandIo,
  format: z.infer<typeof Format>,
  { name, pageSize, page, line }: Listed<T>,
): Promise<void> {
  if (format === 'table') {
    await writeTable(io, page, line)
    return
  }
  const first = await page({ limit: pageSize })
  for await (const chunk of exportChunks({ name, format, page, pageSize }, first)) {
    io.signal.throwIfAborted()
    await io.write(chunk)
  }
}

async function writeTable<T>(
  io: CommandIo,
  list: (page: PageRequest) => Promise<Page<T>>,
  line: (item: T) => string,
): Promise<void> {
  let left = shown
  let cursor: string | undefined
  do {
    io.signal.throwIfAborted()
    const page = await list({ limit: left, cursor })
    for (const item of page.items) await io.write(`${line(item)}\n`)
    left -= page.items.length
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined && left > 0)
  if (cursor !== undefined) io.warn(`There are more; --format csv or ndjson gives all of them.`)
}

function deliveryLine(delivery: Delivery): string {
  const { id, created_at, state, attempts, last_status_code, last_error, event_type } = delivery
  const last = last_status_code ?? last_error ?? '-'
  const { held_because, given_up_because } = delivery
  const because = held_because ?? (given_up_because === 'waited_too_long' ? given_up_because : null)
  const why = because === null ? '' : ` (${because})`
  return `${created_at}  ${id}  ${state.padEnd(9)}  ${attempts} ${attempts === 1 ? 'try' : 'tries'}, last ${last}  ${event_type}  ${delivery.event_id}  to ${delivery.webhook_id}${why}`
}

function attemptLine(attempt: Attempt): string {
  const { started_at, delivery_id, number, duration_ms, status_code, error_detail } = attempt
  const what = attempt.ok ? `${status_code}` : (error_detail ?? attempt.error)
  return `${started_at}  ${delivery_id}  try ${number}  ${duration_ms} ms  ${what} ${attempt.decision}`
}
