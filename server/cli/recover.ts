import { parseArgs } from 'node:util'
import type { CommandIo } from '#server/cli/command.ts'
import { webhookIdOf } from '#server/cli/named.ts'
import { periodHelp, periodOf } from '#server/cli/period.ts'
import { counted, walkToTheEnd } from '#server/cli/walk-to-the-end.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { beginReplay, replayStep } from '#server/store/replay-missing.ts'
import { recoverStep } from '#server/store/resend.ts'
import { getWebhook } from '#server/store/webhooks.ts'

export const recoverHelp = `offhook recover <webhook> --since <time> [--until <time>]

Sends again every delivery of the webhook (its id or name) that was given up in the period. They wait behind what is live.

${periodHelp}
`

export const replayHelp = `offhook replay <webhook> --since <time> [--until <time>]

Delivers the events of the period that match the webhook (its id or name) as it is now and never became a delivery of it:
it was disabled, did not exist, or had other triggers. They wait behind what is live.

${periodHelp}
`

function webhookAndPeriod(name: string, args: readonly string[]) {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { since: { type: 'string' }, until: { type: 'string' } },
  })
  const [webhook, ...rest] = positionals
  if (webhook === undefined || rest.length > 0) {
    throw new StartError('usage', `it is "${name} <webhook> --since <time>".`)
  }
  return { webhook, ...periodOf(values, Date.now()) }
}

export async function runRecover(args: readonly string[], io: CommandIo): Promise<void> {
  const { webhook, since, until } = webhookAndPeriod('recover', args)
  await withStore(io, async (store, account) => {
    const webhookId = await webhookIdOf(store, account.id, webhook)
    const says = (count: number) => `${counted(count, 'delivery is', 'deliveries are')} sent again`
    await walkToTheEnd(io, says, async (walk, limit) =>
      recoverStep(store, webhookId, { since, until }, walk, limit, Date.now()),
    )
  })
}

export async function runReplay(args: readonly string[], io: CommandIo): Promise<void> {
  const { webhook, since, until } = webhookAndPeriod('replay', args)
  await withStore(io, async (store, account) => {
    const webhookId = await webhookIdOf(store, account.id, webhook)
    const found = await getWebhook(store, account.id, webhookId)
    if (found?.disabled_reason === 'by_user') {
      const says = `The webhook is disabled, so no event matches it; "offhook webhooks enable ${webhookId}" first.`
      throw new StartError('usage', says)
    }
    const replay = await beginReplay(store, { accountId: account.id, webhookId, since, until })
    if (replay === null) return
    const says = (count: number) => `${counted(count, 'delivery', 'deliveries')} made`
    await walkToTheEnd(io, says, async (walk, limit) =>
      replayStep(store, replay, walk, limit, Date.now()),
    )
  })
}
