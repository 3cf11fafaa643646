import { createHash, randomBytes } from 'node:crypto'
import type { NewAgentToken } from '#contracts/agent.ts'
import type { Account } from '#server/store/accounts.ts'
import type { Store } from '#server/store/store.ts'

/** 256 bits of chance: a fast hash is enough, there is nothing to guess. */
const tokenBytes = 32
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

/**
 * Makes the token (`oha_…`) of a service's agent; the one before is void. It cannot be read again: only its SHA-256 is
 * kept. Null: the account has no such service.
 */
export async function createAgentToken(
  store: Store,
  accountId: string,
  serviceUuid: string,
): Promise<NewAgentToken | null> {
  const token = `oha_${randomBytes(tokenBytes).toString('base64url')}`
  const done = await store.write
    .updateTable('service')
    .set({ agent_token_hash: hashOf(token) })
    .where('account_id', '=', accountId)
    .where('uuid', '=', serviceUuid)
    .executeTakeFirst()
  return done.numUpdatedRows > 0n ? { token } : null
}

interface AgentOf {
  readonly account: Account
  readonly service: { readonly uuid: string; readonly name: string }
}

/** Whose agent shows the token; null for an unknown one. By hash: how long it takes tells nothing about a guess. */
export async function findServiceByAgentToken(
  store: Store,
  token: string,
): Promise<AgentOf | null> {
  const row = await store.read
    .selectFrom('service')
    .innerJoin('account', 'account.id', 'service.account_id')
    .select(['account.id', 'account.name', 'service.uuid', 'service.name as service_name'])
    .where('service.agent_token_hash', '=', hashOf(token))
    .executeTakeFirst()
  if (row === undefined) return null
  const { id, name, uuid, service_name } = row
  return { account: { id, name }, service: { uuid, name: service_name } }
}
