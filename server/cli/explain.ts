import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Verdict, VerdictCode } from '#contracts/explain.ts'
import { DeliveryId } from '#contracts/ids.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { printable } from '#server/cli/table.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { explainEvent } from '#server/store/explain.ts'
import type { Store } from '#server/store/store.ts'

export const explainHelp = `offhook explain <event id> | <delivery id>

Why did this not fire? Tells for each webhook what became of the event: delivered, waiting and for what, given up, or
which switch or filter stopped it. Webhooks that have a delivery of it come first, those that are for
other events last. Of a delivery, its event is explained; the events of a call are listed by "offhook events --call <uuid>".
`

export async function runExplain(args: readonly string[], io: CommandIo): Promise<void> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} })
  const [id, ...rest] = positionals
  if (id === undefined || rest.length > 0) {
    throw new StartError('usage', 'it is "explain <event id>" or "explain <delivery id>".')
  }
  if (z.uuid().safeParse(id).success) {
    const says = `${id} is no event; if it is a call, "offhook events --call ${id}" lists its events, with the ids to explain.`
    throw new StartError('usage', says)
  }
  await withStore(io, async (store, account) => {
    const eventId = await eventIdOf(store, account.id, id)
    const { event, verdicts } = await readVerdicts(store, account.id, eventId)
    const call = event.call_uuid === null ? '' : `, call ${event.call_uuid}`
    await io.write(`${event.type} of ${event.occurred_at}${call}\n`)
    if (verdicts.length === 0) await io.write('There is no webhook.\n')
    for (const verdict of verdicts.toSorted((a, b) => rankOf(a) - rankOf(b))) {
      await io.write(`${textOf(verdict)}\n`)
    }
  })
}

/** What says that the webhook is for other events: of many webhooks most, and nobody looks for those. */
const meantForOthers: ReadonlySet<VerdictCode> = new Set([
  'trigger',
  'other_service',
  'other_component',
])

function rankOf({ code, delivery }: Verdict): number {
  if (delivery !== null) return 0
  return meantForOthers.has(code) ? 2 : 1
}

/** Throws StartError `usage`. */
async function eventIdOf(store: Store, accountId: string, id: string): Promise<string> {
  if (!DeliveryId.safeParse(id).success) return id
  const delivery = await getDelivery(store, accountId, id)
  if (delivery !== null) return delivery.event_id
  throw new StartError('usage', `There is no delivery ${id}, or not any more.`)
}

async function readVerdicts(store: Store, accountId: string, id: string) {
  const verdicts: Verdict[] = []
  let cursor: string | undefined
  for (;;) {
    const found = await explainEvent(store, accountId, id, { limit: 500, cursor }, Date.now())
    if (found === null) throw new StartError('usage', `There is no event ${id}, or not any more.`)
    verdicts.push(...found.verdicts.items)
    if (found.verdicts.next_cursor === null) return { event: found.event, verdicts }
    cursor = found.verdicts.next_cursor
  }
}

function textOf({ webhook_id, webhook_name, code, says, delivery }: Verdict): string {
  const which = delivery === null ? '' : `, ${delivery.id}`
  return `\n${printable(webhook_name)} (${webhook_id}${which}): ${code}\n  ${printable(says)}`
}
