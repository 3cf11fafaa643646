import type { Db, Store } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

/** How many days may go during one read, before something else must be wrong. */
const mostDays = 100

/**
 * Reads one state of the database in several statements. On SQLite that state holds to the end. On PostgreSQL it has a
 * hole: retention may drop the tables of a day between two of the statements, whose snapshot has its rows but not the
 * tables any more. Then the day is gone, and all is read again as it is now.
 */
export async function inSnapshot<T>(
  store: Pick<Store, 'read'>,
  read: (trx: Db) => Promise<T>,
): Promise<T> {
  for (let days = 1; ; days += 1) {
    try {
      return await store.read.transaction().execute(read)
    } catch (error) {
      const dropped = error instanceof StoreError && error.code === 'day_dropped'
      if (!dropped || days === mostDays) throw error
    }
  }
}
