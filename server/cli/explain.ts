import { parseArgs } from 'node:util'
import type { Verdict } from '#contracts/explain.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { printable } from '#server/cli/table.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { explainEvent } from '#server/store/explain.ts'
import type { Store } from '#server/store/store.ts'

export const explainHelp = `offhook explain <event id>

Why did this not fire? Tells for each webhook what became of the event: delivered, waiting and for what, given up, or
which switch or filter stopped it. Webhooks that have a delivery of it come first.
`

export async function runExplain(args: readonly string[], io: CommandIo): Promise<void> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} })
  const [id, ...rest] = positionals
  if (id === undefined || rest.length > 0) {
    throw new StartError('usage', 'it is "explain <event id>".')
  }
  await withStore(io, async (store, account) => {
    const { event, verdicts } = await readVerdicts(store, account.id, id)
    const call = event.call_uuid === null ? '' : `, call ${event.call_uuid}`
    await io.write(`${event.type} of ${event.occurred_at}${call}\n`)
    if (verdicts.length === 0) await io.write('There is no webhook.\n')
    const first = verdicts.filter((verdict) => verdict.delivery !== null)
    const others = verdicts.filter((verdict) => verdict.delivery === null)
    for (const verdict of [...first, ...others]) await io.write(`${textOf(verdict)}\n`)
  })
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
