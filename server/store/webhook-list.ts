/** The list of an account's webhooks, and what it is cut by. */
import { sql } from 'kysely'
import type { EventType } from '#contracts/events/catalogue.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import type { WebhookScope } from '#contracts/webhook/consistency.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import { belowOf, pageOfRows } from '#server/store/page.ts'
import type { Store } from '#server/store/store.ts'
import { foldedName, webhookOf } from '#server/store/webhook-row.ts'
import { selectWebhooks } from '#server/store/webhooks.ts'

/** All that are given must hold. */
export interface WebhookFilter {
  readonly serviceUuid?: string | undefined
  readonly trigger?: EventType | undefined
  readonly scope?: WebhookScope | undefined
  /** `failing`: enabled, with a breaker that is not closed. */
  readonly state?: 'enabled' | 'failing' | 'disabled' | undefined
  /** A part of the name, in upper or lower case. */
  readonly name?: string | undefined
}

type WebhookQuery = ReturnType<typeof selectWebhooks>

export async function listWebhooks(
  store: Store,
  accountId: string,
  filter: WebhookFilter,
  page: PageRequest,
): Promise<Page<Webhook>> {
  const rows = await filtered(selectWebhooks(store.read, accountId), filter)
    .where('webhook.seq', '<', belowOf('webhooks', page.cursor))
    .orderBy('webhook.seq', 'desc')
    .limit(page.limit + 1)
    .execute()
  return pageOfRows('webhooks', page, rows, (row) => webhookOf(store.secrets, row))
}

function filtered(all: WebhookQuery, filter: WebhookFilter): WebhookQuery {
  const { serviceUuid, trigger, scope, state, name } = filter
  let query = all
  if (serviceUuid !== undefined) query = query.where('webhook.service_uuid', '=', serviceUuid)
  if (scope !== undefined) query = query.where('webhook.scope', '=', scope)
  if (state !== undefined) query = query.where('webhook.enabled', '=', state === 'disabled' ? 0 : 1)
  if (state === 'failing') query = query.where('lane.breaker', '!=', 'closed')
  // The list is JSON text of quoted names, so the quotes make the name exact.
  if (trigger !== undefined) query = query.where(contains('webhook.triggers', `"${trigger}"`))
  return name === undefined ? query : query.where(contains('webhook.name_folded', foldedName(name)))
}

function contains(column: string, text: string) {
  const pattern = `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`
  return sql<boolean>`${sql.ref(column)} like ${pattern} escape '\\'`
}

/** The names of those that are there, by id. */
export async function webhookNames(
  store: Store,
  accountId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await store.read
    .selectFrom('webhook')
    .select(['id', 'name'])
    .where('account_id', '=', accountId)
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map(({ id, name }) => [id, name]))
}
