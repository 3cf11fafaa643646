import { parseArgs } from 'node:util'
import type { CommandIo } from '#server/cli/command.ts'
import { periodHelp, periodOf } from '#server/cli/period.ts'
import { counted, walkToTheEnd } from '#server/cli/walk-to-the-end.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { beginReplay, replayStep } from '#server/store/replay-missing.ts'
import { recoverStep } from '#server/store/resend.ts'
import type { Store } from '#server/store/store.ts'
import { getWebhook } from '#server/store/webhooks.ts'

export const recoverHelp = `offhook recover <webhook id> --since <time> [--until <time>]

Sends again every delivery of the webhook that was given up in the period. They wait behind what is live.

${periodHelp}
`

export const replayHelp = `offhook replay <webhook id> --since <time> [--until <time>]

Delivers the events of the period that match the webhook as it is now and never became a delivery of it: it was disabled,
did not exist, or had other triggers. They wait behind what is live.

${periodHelp}
`

function webhookAndPeriod(name: string, args: readonly string[]) {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { since: { type: 'string' }, until: { type: 'string' } },
  })
  const [webhookId, ...rest] = positionals
  if (webhookId === undefined || rest.length > 0) {
    throw new StartError('usage', `it is "${name} <webhook id> --since <time>".`)
  }
  return { webhookId, ...periodOf(values, Date.now()) }
}

async function webhookOf(store: Store, accountId: string, id: string) {
  const webhook = await getWebhook(store, accountId, id)
  if (webhook === null) {
    throw new StartError('usage', `There is no webhook ${id}; "offhook webhooks" lists all.`)
  }
  return webhook
}

export async function runRecover(args: readonly string[], io: CommandIo): Promise<void> {
  const { webhookId, since, until } = webhookAndPeriod('recover', args)
  await withStore(io, async (store, account) => {
    await webhookOf(store, account.id, webhookId)
    const says = (count: number) => `${counted(count, 'delivery is', 'deliveries are')} sent again`
    await walkToTheEnd(io, says, async (walk, limit) =>
      recoverStep(store, webhookId, { since, until }, walk, limit, Date.now()),
    )
  })
}

export async function runReplay(args: readonly string[], io: CommandIo): Promise<void> {
  const { webhookId, since, until } = webhookAndPeriod('replay', args)
  await withStore(io, async (store, account) => {
    const { disabled_reason } = await webhookOf(store, account.id, webhookId)
    if (disabled_reason === 'by_user') {
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
