/** Services whose Applications switch is off. */
import type { Store } from '#server/store/store.ts'

export interface SwitchedOff {
  /** By name; a few of them. */
  readonly names: readonly string[]
  readonly more: number
}

/** A reseller may have hundreds. */
const mostNamed = 3

export async function servicesSwitchedOff(store: Store, accountId: string): Promise<SwitchedOff> {
  const off = store.read
    .selectFrom('service')
    .where('account_id', '=', accountId)
    .where('applications_enabled', '=', 0)
  const named = await off.select('name').orderBy('name').limit(mostNamed).execute()
  const { count } = await off
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .executeTakeFirstOrThrow()
  // PostgreSQL counts in bigint, which comes as text.
  return { names: named.map(({ name }) => name), more: Number(count) - named.length }
}
