import { parseArgs } from 'node:util'
import type { CommandIo } from '#server/cli/command.ts'
import { printable } from '#server/cli/table.ts'
import { withStore } from '#server/cli/with-store.ts'
import { StartError } from '#server/start-error.ts'
import { createApiKey, deleteApiKey, listApiKeys } from '#server/store/api-keys.ts'
import type { Store } from '#server/store/store.ts'

export const keysHelp = `offhook keys <create <name> | list | revoke <id>>

  create <name>   make an API key and print it, once: only its hash is kept
  list            id, time of creation and name of every key, newest first
  revoke <id>     the key opens nothing any more, at once

Works on the database itself, also while the server runs.
`

type Action = (store: Store, accountId: string, operand: string, io: CommandIo) => Promise<void>

const actions: Readonly<Record<string, { readonly operand: string | null; readonly run: Action }>> =
  {
    create: {
      operand: 'name',
      async run(store, accountId, name, io) {
        const { id, key } = await createApiKey(store, accountId, name, Date.now())
        io.warn(`${id}, shown once:`)
        await io.write(`${key}\n`)
      },
    },
    list: {
      operand: null,
      async run(store, accountId, _, io) {
        for (const { id, createdAt, name } of await listApiKeys(store, accountId)) {
          await io.write(`${id}  ${new Date(createdAt).toISOString()}  ${printable(name)}\n`)
        }
      },
    },
    revoke: {
      operand: 'id',
      async run(store, accountId, id, io) {
        if (!(await deleteApiKey(store, accountId, id))) {
          throw new StartError('usage', `There is no key ${id}; "offhook keys list" shows all.`)
        }
        io.warn(`${id} is revoked.`)
      },
    },
  }

export async function runKeys(args: readonly string[], io: CommandIo): Promise<void> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} })
  const [name = '', operand, ...rest] = positionals
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined
  const wanted = action?.operand === null ? undefined : action?.operand
  if (
    action === undefined ||
    rest.length > 0 ||
    (operand === undefined) !== (wanted === undefined) ||
    operand?.trim() === ''
  ) {
    throw new StartError('usage', `it is "keys create <name>", "keys list" or "keys revoke <id>".`)
  }
  await withStore(io, async (store, account) => {
    await action.run(store, account.id, operand ?? '', io)
  })
}
