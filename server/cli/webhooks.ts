import { parseArgs } from 'node:util'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { counted, walkToTheEnd } from '#server/cli/walk-to-the-end.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { enableDisabledStep } from '#server/store/enable-disabled.ts'
import type { Store } from '#server/store/store.ts'
import { listWebhooks, setWebhookEnabled } from '#server/store/webhooks.ts'

export const webhooksHelp = `offhook webhooks <list | enable <id> | disable <id> | enable-disabled>

  list              id, state, name, type, whose events and which, of every webhook, newest first
  enable <id>       switch it on; what was held goes out
  disable <id>      switch it off; what waits is held, and events make no new deliveries
  enable-disabled   switch on those that were disabled automatically, and only those
`

type Action = (store: Store, accountId: string, id: string, io: CommandIo) => Promise<void>

const actions: Readonly<Record<string, { readonly takesId: boolean; readonly run: Action }>> = {
  list: { takesId: false, run: list },
  enable: { takesId: true, run: async (...args) => await turn(true, ...args) },
  disable: { takesId: true, run: async (...args) => await turn(false, ...args) },
  'enable-disabled': {
    takesId: false,
    async run(store, accountId, _, io) {
      const says = (count: number) => `${counted(count, 'webhook is', 'webhooks are')} enabled`
      await walkToTheEnd(io, says, async (walk, limit) =>
        enableDisabledStep(store, accountId, walk, limit, Date.now()),
      )
    },
  },
}

async function list(store: Store, accountId: string, _: string, io: CommandIo): Promise<void> {
  let cursor: string | undefined
  do {
    const page = await listWebhooks(store, accountId, {}, { limit: 100, cursor })
    for (const webhook of page.items) {
      await io.write(`${lineOf(webhook)}\n`)
    }
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
}

/** Name, type, trigger service type and trigger events, as the forms of the hosted products list them. */
function lineOf(webhook: Webhook): string {
  const { id, name, scope, predefined, service_uuid: service } = webhook
  const whose = service === null ? 'account' : `${scope === 'service' ? 'pbx' : scope} ${service}`
  const type = predefined ?? 'custom'
  return [id, stateOf(webhook), name, type, whose, webhook.triggers.join(', ')].join('  ')
}

function stateOf({ enabled, disabled_reason, breaker }: Webhook): string {
  if (!enabled) return `disabled (${disabled_reason})`
  return breaker.state === 'closed' ? 'enabled' : `failing (${breaker.reason})`
}

async function turn(
  on: boolean,
  store: Store,
  accountId: string,
  id: string,
  io: CommandIo,
): Promise<void> {
  if ((await setWebhookEnabled(store, accountId, id, on, Date.now())) === null) {
    throw new StartError('usage', `There is no webhook ${id}; "offhook webhooks list" shows all.`)
  }
  await io.write(`${id} is ${on ? 'enabled' : 'disabled'}\n`)
}

export async function runWebhooks(args: readonly string[], io: CommandIo): Promise<void> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} })
  const [name = '', id, ...rest] = positionals
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined
  if (action === undefined || rest.length > 0 || (id !== undefined) !== action.takesId) {
    const usage =
      'it is "webhooks list", "webhooks enable <id>", "webhooks disable <id>" or "webhooks enable-disabled".'
    throw new StartError('usage', usage)
  }
  await withStore(io, async (store, account) => await action.run(store, account.id, id ?? '', io))
}
