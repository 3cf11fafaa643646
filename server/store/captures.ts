import type { Db, Store } from '#server/store/store.ts'

/** Where capture of a service goes on: what the last `acceptEvents` of the service committed, or its creation. */
export interface StoredCapture {
  /** JSON text; null before the first commit. */
  readonly cursor: string | null
  readonly openCalls: readonly { readonly key: string; readonly json: string }[]
}

export async function readCapture(store: Store, serviceUuid: string): Promise<StoredCapture> {
  // Both of one state: the calls belong to the cursor.
  return await store.read.transaction().execute(async (trx) => {
    const capture = await trx
      .selectFrom('capture')
      .select('cursor')
      .where('service_uuid', '=', serviceUuid)
      .executeTakeFirst()
    const openCalls = await trx
      .selectFrom('open_call')
      .select(['key', 'state as json'])
      .where('service_uuid', '=', serviceUuid)
      .orderBy('key')
      .execute()
    return { cursor: capture?.cursor ?? null, openCalls }
  })
}

/** Within the creation of the service: its capture begins there. */
export async function beginCapture(
  trx: Db,
  serviceUuid: string,
  cursor: string,
  now: number,
): Promise<void> {
  await trx
    .insertInto('capture')
    .values({ service_uuid: serviceUuid, cursor, updated_at: now })
    .execute()
}
