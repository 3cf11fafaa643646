import { parseArgs } from 'node:util'
import type { CommandIo } from '#server/cli/command.ts'
import { webhookIdOf } from '#server/cli/named.ts'
import { counted, walkToTheEnd } from '#server/cli/walk-to-the-end.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { cancelDelivery, cancelWaitingStep } from '#server/store/cancel.ts'

export const cancelHelp = `offhook cancel <delivery id>... | --webhook <webhook>

Cancels deliveries that wait (pending or held) or were given up; with --webhook (its id or name), every one of it that
waits. What is under way is not called back.
`

export async function runCancel(args: readonly string[], io: CommandIo): Promise<void> {
  const { positionals: ids, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { webhook: { type: 'string' } },
  })
  const { webhook } = values
  if (ids.length > 0 === (webhook !== undefined)) {
    throw new StartError(
      'usage',
      'it is "cancel <delivery id>..." or "cancel --webhook <webhook>".',
    )
  }
  await withStore(io, async (store, account) => {
    for (const id of ids) {
      const result = await cancelDelivery(store, account.id, id, Date.now())
      if (result === null) throw new StartError('usage', `There is no delivery ${id}.`)
      await io.write(
        `${id} ${result === 'cancelled' ? 'is cancelled' : 'is under way or delivered'}\n`,
      )
    }
    if (webhook === undefined) return
    const webhookId = await webhookIdOf(store, account.id, webhook)
    const says = (count: number) => `${counted(count, 'delivery is', 'deliveries are')} cancelled`
    await walkToTheEnd(io, says, async (walk, limit) =>
      cancelWaitingStep(store, webhookId, walk, limit, Date.now()),
    )
  })
}
