import { parseArgs } from 'node:util'
import type { CommandIo } from '#server/cli/command.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { resendDelivery } from '#server/store/resend.ts'

export const resendHelp = `offhook resend <delivery id>...

Sends deliveries that ended again, with the same event id and the header webhook-resend. Those that wait or are under
way stay as they are, so it does no harm to ask twice. The running server sends them; without one, the next start does.
`

const says = {
  resent: 'is sent again',
  under_way: 'waits or is under way already',
  worn_out: 'had too many attempts to be sent again',
}

export async function runResend(args: readonly string[], io: CommandIo): Promise<void> {
  const { positionals: ids } = parseArgs({ args: [...args], allowPositionals: true, options: {} })
  if (ids.length === 0) throw new StartError('usage', 'it is "resend <delivery id>...".')
  await withStore(io, async (store, account) => {
    for (const id of ids) {
      const result = await resendDelivery(store, account.id, id, Date.now())
      if (result === null) throw new StartError('usage', `There is no delivery ${id}.`)
      await io.write(`${id} ${says[result]}\n`)
    }
  })
}
