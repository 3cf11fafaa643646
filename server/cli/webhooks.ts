import { parseArgs } from 'node:util'
import { api } from '#contracts/api.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import type { CommandIo } from '#server/cli/command.ts'
import { serviceNames, uuidOf, webhookIdOf } from '#server/cli/named.ts'
import { optionsBy } from '#server/cli/options.ts'
import { tableOf } from '#server/cli/table.ts'
import { counted, walkToTheEnd } from '#server/cli/walk-to-the-end.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { enableDisabledStep } from '#server/store/enable-disabled.ts'
import type { Store } from '#server/store/store.ts'
import { listWebhooks, type WebhookFilter } from '#server/store/webhook-list.ts'
import { setWebhookEnabled } from '#server/store/webhooks.ts'

export const webhooksHelp = `offhook webhooks [list] [options] | enable <webhook> | disable <webhook> | enable-disabled

  list                every webhook, newest first: its id, state, name, type, whose events fire it, and which
  enable <webhook>    switch it on, by its id or name; what was held goes out
  disable <webhook>   switch it off; what waits is held, and events make no new deliveries
  enable-disabled     switch on those that were disabled automatically, and only those

  --state <state>    list those that are enabled, failing or disabled
  --scope <scope>    list those of scope account, service, global or call_flow
  --service <name>   list those of this PBX, by its system name or UUID
  --trigger <type>   list those that this type of event fires
  --name <text>      list those with this text in their name
  --json             list as the API has them, one JSON object a line
`

const listOptions = {
  state: { type: 'string' },
  scope: { type: 'string' },
  service: { type: 'string' },
  trigger: { type: 'string' },
  name: { type: 'string' },
  json: { type: 'boolean' },
} as const

type Action = (store: Store, accountId: string, id: string, io: CommandIo) => Promise<void>

const actions: Readonly<Record<string, { readonly takesId: boolean; readonly run: Action }>> = {
  enable: { takesId: true, run: async (...args) => await turn(true, ...args) },
  disable: { takesId: true, run: async (...args) => await turn(false, ...args) },
  'enable-disabled': {
    takesId: false,
    async run(store, accountId, _, io) {
      const says = (count: number) =>
        count === 0
          ? 'There was none to enable: no webhook is disabled automatically.'
          : `${counted(count, 'webhook is', 'webhooks are')} enabled`
      await walkToTheEnd(io, says, async (walk, limit) =>
        enableDisabledStep(store, accountId, walk, limit, Date.now()),
      )
    },
  },
}

const header = ['ID', 'STATE', 'NAME', 'TYPE', 'OF', 'TRIGGERS']

async function list(
  store: Store,
  accountId: string,
  { service, ...others }: WebhookFilter & { readonly service: string | undefined },
  json: boolean,
  io: CommandIo,
): Promise<void> {
  const names = await serviceNames(store, accountId)
  const filter = service === undefined ? others : { ...others, serviceUuid: uuidOf(service, names) }
  const rows: (readonly string[])[] = []
  let found = false
  let cursor: string | undefined
  do {
    io.signal.throwIfAborted()
    const page = await listWebhooks(store, accountId, filter, { limit: 100, cursor })
    found ||= page.items.length > 0
    if (json) await io.write(page.items.map((webhook) => `${JSON.stringify(webhook)}\n`).join(''))
    // Columns are as wide as their widest value, so that the lines wait for the last one.
    else rows.push(...page.items.map((webhook) => rowOf(webhook, names)))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  await io.write(tableOf(header, rows))
  if (!found && !json) io.warn('There is no such webhook.')
}

/** Name, type, trigger service type and trigger events, as the forms of the hosted products list them. */
function rowOf(webhook: Webhook, names: ReadonlyMap<string, string>): readonly string[] {
  const { id, name, scope, predefined, service_uuid: uuid, component, triggers } = webhook
  const service = uuid === null ? '' : (names.get(uuid) ?? uuid)
  const whose = { account: 'the account', service, global: `${service}, global` }
  const of = scope === 'call_flow' ? `${service}, object ${component}` : whose[scope]
  return [id, stateOf(webhook), name, predefined ?? 'custom', of, someOf(triggers)]
}

/** All of thirty triggers would be a line of 400 characters; --json has them. */
function someOf(triggers: readonly string[]): string {
  const shown = triggers.length > 3 ? triggers.slice(0, 2) : triggers
  const rest = triggers.length - shown.length
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function stateOf({ enabled, disabled_reason, breaker }: Webhook): string {
  if (!enabled) return `disabled (${disabled_reason})`
  return breaker.state === 'closed' ? 'enabled' : `failing (${breaker.failures} in a row)`
}

async function turn(
  on: boolean,
  store: Store,
  accountId: string,
  id: string,
  io: CommandIo,
): Promise<void> {
  // Null: it was deleted since it was found.
  if ((await setWebhookEnabled(store, accountId, id, on, Date.now())) === null) {
    throw new StartError('usage', `There is no webhook ${id}; "offhook webhooks" lists all.`)
  }
  await io.write(`${id} is ${on ? 'enabled' : 'disabled'}\n`)
}

export async function runWebhooks(args: readonly string[], io: CommandIo): Promise<void> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: listOptions,
  })
  const [name = 'list', webhook, ...rest] = positionals
  if (name === 'list' && webhook === undefined) {
    const { json = false, service, ...given } = values
    const { state, scope, trigger, name: part } = optionsBy(api.listWebhooks.query, given)
    const wanted = { state, scope, trigger, name: part, service }
    await withStore(io, async (store, account) => await list(store, account.id, wanted, json, io))
    return
  }
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined
  const fits =
    action !== undefined && rest.length === 0 && (webhook !== undefined) === action.takesId
  if (!fits || Object.keys(values).length > 0) {
    const usage =
      'it is "webhooks [list] [options]", "webhooks enable <webhook>", "webhooks disable <webhook>" or "webhooks enable-disabled".'
    throw new StartError('usage', usage)
  }
  await withStore(io, async (store, account) => {
    const id = webhook === undefined ? '' : await webhookIdOf(store, account.id, webhook)
    await action.run(store, account.id, id, io)
  })
}
