import { searchKeysOf } from '#server/domain/events/number-keys.ts'
import type { Caller } from '#server/http/serve.ts'
import { listCountries } from '#server/store/services.ts'
import type { Store } from '#server/store/store.ts'

/** What a number that a person typed may stand for in the account; undefined: nobody asked for a number. */
export async function numberKeysOf(
  store: Store,
  { id }: Caller,
  number: string | undefined,
): Promise<readonly string[] | undefined> {
  return number === undefined ? undefined : searchKeysOf(number, await listCountries(store, id))
}
