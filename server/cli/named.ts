/** What people call by its name on the command line. */
import { printable } from '#server/cli/table.ts'
import { StartError } from '#server/start-error.ts'
import { listServices } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'
import { listWebhooks } from '#server/store/webhook-list.ts'
import { foldedName } from '#server/store/webhook-row.ts'
import { getWebhook } from '#server/store/webhooks.ts'

/** System names of PBXs, by UUID. */
export async function serviceNames(
  store: Store,
  accountId: string,
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  let cursor: string | undefined
  do {
    const page = await listServices(store, accountId, { limit: 100, cursor })
    for (const { uuid, name } of page.items) names.set(uuid, name)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  return names
}

/** The UUID of a PBX that is given by its system name or UUID. Throws StartError `usage`. */
export function uuidOf(service: string, names: ReadonlyMap<string, string>): string {
  const [uuid] = [...names].find((one) => one.includes(service)) ?? []
  if (uuid === undefined) {
    throw new StartError('usage', `--service: there is no PBX "${printable(service)}".`)
  }
  return uuid
}

/** So many ids help to choose; more are for the list. */
const mostNamed = 5

/** The id of a webhook that is given by its id, or by a name that no other one has. Throws StartError `usage`. */
export async function webhookIdOf(store: Store, accountId: string, given: string): Promise<string> {
  if ((await getWebhook(store, accountId, given)) !== null) return given
  const found = await webhooksCalled(store, accountId, given)
  const exact = found.filter(({ name }) => name === given)
  const meant = exact.length > 0 ? exact : found
  const [webhook] = meant
  if (webhook === undefined) {
    const says = `There is no webhook ${printable(given)}; "offhook webhooks" lists all.`
    throw new StartError('usage', says)
  }
  if (meant.length === 1) return webhook.id
  const ids = meant.slice(0, mostNamed).map(({ id }) => id)
  const rest = meant.length > ids.length ? ' …' : ''
  const says = `${meant.length} webhooks are called ${printable(given)}; give the id of one: ${ids.join(', ')}${rest}.`
  throw new StartError('usage', says)
}

/** In upper or lower case. */
async function webhooksCalled(store: Store, accountId: string, given: string) {
  const found: { readonly id: string; readonly name: string }[] = []
  const wanted = foldedName(given)
  let cursor: string | undefined
  do {
    const page = await listWebhooks(store, accountId, { name: given }, { limit: 100, cursor })
    found.push(...page.items.filter(({ name }) => foldedName(name) === wanted))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  return found
}
