import { api } from '#contracts/api.ts'
import type { Event } from '#contracts/events/catalogue.ts'
import type { PageRequest } from '#contracts/page.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { idsOf, outputHelp, parseList, writeList } from '#server/cli/list.ts'
import { withStore } from '#server/cli/with-store.ts'
import { eventFilterOf } from '#server/http/search.ts'
import { listEvents } from '#server/store/events.ts'

export const eventsHelp = `offhook events [options]

Lists events, newest first, also those that fired no webhook; those of a number newest call first. "offhook explain <id>"
tells what became of one.

  --number <number>    of calls from or to this phone number or extension, in any way of writing
  --call <uuid>        of this call
  --type <type>        of this type
  --service <name>     of this PBX, by its system name or UUID
  --since <time>       happened since: 30min, 2h, 3d ago, or a time with its zone (2026-11-22T09:00Z)
  --until <time>       happened before
${outputHelp}
`

/** The options, with their names in the API. */
const fields = {
  number: 'number',
  call: 'call_uuid',
  type: 'type',
  service: 'service_uuid',
} as const

export async function runEvents(args: readonly string[], io: CommandIo): Promise<void> {
  const { query, named, output } = parseList(args, api.listEvents.query, fields)
  await withStore(io, async (store, { id }) => {
    const ids = await idsOf(store, id, named)
    const filter = await eventFilterOf(store, id, { ...query, ...ids })
    await writeList(io, output, {
      name: 'events',
      pageSize: 200,
      page: (wanted: PageRequest) => listEvents(store, id, filter, wanted),
      headings: ['TIME', 'TYPE', 'CALL', 'ID'],
      rows: (events) =>
        events.map((event) => [event.occurred_at, event.type, ofCall(event), event.id]),
    })
  })
}

type Party = { readonly number: string | null; readonly raw: string | null }

const partyOf = ({ number, raw }: Party) => number ?? raw ?? 'withheld'

function ofCall(event: Event): string {
  if (!('call' in event)) return '-'
  return `${partyOf(event.call.source)} → ${partyOf(event.call.destination)}`
}
