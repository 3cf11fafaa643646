import { api } from '#contracts/api.ts'
import type { Attempt, Delivery } from '#contracts/delivery.ts'
import type { PageRequest } from '#contracts/page.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { idsOf, outputHelp, parseList, writeList } from '#server/cli/list.ts'
import { cut } from '#server/cli/table.ts'
import { withStore } from '#server/cli/with-store.ts'
import { deliveryFilterOf } from '#server/http/search.ts'
import { searchAttempts } from '#server/store/attempt-search.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import { webhookNames } from '#server/store/webhook-list.ts'

const filterHelp = `  --number <number>    of calls from or to this phone number or extension, in any way of writing
  --call <uuid>        of this call
  --webhook <webhook>  to this webhook, by its id or name
  --event <id>         of this event
  --type <type>        of events of this type
  --service <name>     of events of this PBX, by its system name or UUID
  --state <state>      pending, leased, delivered, exhausted, held or cancelled
  --status <status>    the receiver answered 503, or 5xx
  --error <error>      the request failed with dns, timeout, connect_refused, status, …
  --since <time>       made since: 30min, 2h, 3d ago, or a time with its zone (2026-11-22T09:00Z)
  --until <time>       made before
${outputHelp}`

export const deliveriesHelp = `offhook deliveries [options]

Lists deliveries, newest first; with --status and --error by their last attempt.

${filterHelp}
`

export const attemptsHelp = `offhook attempts [options]

Lists the attempts of deliveries, those of the newest delivery first. --since and --until are the period in which
they began.

${filterHelp}
`

/** The options, with their names in the API. */
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

const noneHint =
  'What fires no webhook makes no delivery: "offhook events" lists events (by --number, --call …), "offhook explain <event id>" says why.'

export async function runDeliveries(args: readonly string[], io: CommandIo): Promise<void> {
  const { query, named, output } = parseList(args, api.listDeliveries.query, fields)
  await withStore(io, async (store, { id }) => {
    const ids = await idsOf(store, id, named)
    const filter = await deliveryFilterOf(store, id, { ...query, ...ids })
    await writeList(io, output, {
      name: 'deliveries',
      pageSize: 500,
      page: (wanted: PageRequest) => listDeliveries(store, id, filter, wanted),
      headings: deliveryHeadings,
      spare: 'NAME',
      async rows(deliveries) {
        const webhooks = [...new Set(deliveries.map(({ webhook_id }) => webhook_id))]
        const names = await webhookNames(store, id, webhooks)
        return deliveries.map((delivery) =>
          deliveryRow(delivery, names.get(delivery.webhook_id) ?? ''),
        )
      },
      hint: noneHint,
    })
  })
}

export async function runAttempts(args: readonly string[], io: CommandIo): Promise<void> {
  const { query, named, output } = parseList(args, api.listDeliveries.query, fields)
  await withStore(io, async (store, { id }) => {
    const ids = await idsOf(store, id, named)
    const filter = await deliveryFilterOf(store, id, { ...query, ...ids })
    await writeList(io, output, {
      name: 'attempts',
      pageSize: 50,
      page: (wanted: PageRequest) => searchAttempts(store, id, filter, wanted),
      headings: attemptHeadings,
      rows: (attempts) => attempts.map(attemptRow),
    })
  })
}

const deliveryHeadings = [
  ...['MADE', 'ID', 'STATE', 'TRIES', 'LAST'],
  ...['TYPE', 'EVENT', 'WEBHOOK', 'NAME', 'BECAUSE'],
]

/** Enough to know a webhook by; a name may have 200 characters. */
const nameLength = 30

function deliveryRow(delivery: Delivery, webhook: string): readonly string[] {
  const { created_at, id, state, attempts, event_type, event_id, webhook_id } = delivery
  const { last_status_code, last_error, held_because, given_up_because } = delivery
  const last = `${last_status_code ?? last_error ?? '-'}`
  const tooLong = given_up_because === 'waited_too_long' ? given_up_because : ''
  const because = held_because ?? tooLong
  const name = cut(webhook, nameLength)
  return [
    ...[created_at, id, state, `${attempts}`, last],
    ...[event_type, event_id, webhook_id, name, because],
  ]
}

const attemptHeadings = ['BEGAN', 'DELIVERY', 'TRY', 'TOOK', 'ANSWER', 'DECISION']

function attemptRow(attempt: Attempt): readonly string[] {
  const { started_at, delivery_id, number, duration_ms, status_code, error } = attempt
  const { error_detail, decision } = attempt
  const answer = `${status_code ?? error ?? '-'}`
  const says = [error_detail, decision].filter((part) => part !== null).join(' ')
  return [started_at, delivery_id, `${number}`, `${duration_ms} ms`, answer, says]
}
