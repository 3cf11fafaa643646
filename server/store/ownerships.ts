/**
 * Who captures which PBX: one node each. The epoch counts the owners; `acceptInto` lets pass only what the present
 * owner captured in the present epoch, so that one that was taken for dead and is not can commit nothing.
 */
import { sql } from 'kysely'
import type { DialectFacts } from '#server/store/dialect.ts'
import type { Store, Trx } from '#server/store/store.ts'
import { StoreError } from '#server/store/store-error.ts'

/** What a capture shows to prove that the PBX is its own. */
export interface Fence {
  readonly node: string
  readonly epoch: number
}

/** A service as the nodes see it that may capture it. */
export interface OwnedService {
  readonly serviceUuid: string
  /** Epoch milliseconds of the last change of the service or its PBX document. */
  readonly updatedAt: number
  /** Null: nobody captures it. */
  readonly node: string | null
  /** The data folder that a managed PBX lives in; null: of one that any node may capture that can read it. */
  readonly home: string | null
  /** How many owners there were so far. */
  readonly epoch: number
  /** Its owner cannot read its record, so that whoever can may take it over. */
  readonly unread: boolean
}

export async function listOwnedServices(store: Store): Promise<readonly OwnedService[]> {
  const rows = await store.write
    .selectFrom('service')
    .leftJoin('ownership', 'ownership.service_uuid', 'service.uuid')
    .select([
      'service.uuid as serviceUuid',
      'service.updated_at as updatedAt',
      'ownership.node_id as node',
      'ownership.home',
      'ownership.epoch',
      'ownership.unread',
    ])
    .orderBy('service.seq')
    .execute()
  return rows.map((row) => ({ ...row, epoch: row.epoch ?? 0, unread: row.unread === 1 }))
}

/**
 * Takes a PBX that nobody has, or this process has already, or whose owner cannot read its record where this one can
 * (`unread` is false). `home`: binds it to this data folder, as the files of a managed PBX are there; null: not bound.
 * Null: somebody else was faster, or it is at home elsewhere.
 */
export async function takeOwnership(
  store: Store,
  serviceUuid: string,
  home: string | null,
  unread = false,
): Promise<Fence | null> {
  const row = await sql<{ epoch: number }>`
    insert into ownership (service_uuid, node_id, home, epoch, unread)
    values (${serviceUuid}, ${store.node}, ${home}, 1, ${unread ? 1 : 0})
    on conflict (service_uuid) do update
      set node_id = excluded.node_id, home = excluded.home, epoch = ownership.epoch + 1,
        unread = excluded.unread
      where (ownership.node_id is null or ownership.node_id = excluded.node_id
          or (ownership.unread = 1 and excluded.unread = 0))
        and (excluded.home is null or ownership.home is null or ownership.home = excluded.home)
    returning epoch`.execute(store.write)
  const epoch = row.rows[0]?.epoch
  return epoch === undefined ? null : { node: store.node, epoch }
}

/** Whether the owner can read the record of its PBX just now. */
export async function noteUnread(
  store: Store,
  serviceUuid: string,
  { node, epoch }: Fence,
  unread: boolean,
): Promise<void> {
  await store.write
    .updateTable('ownership')
    .set({ unread: unread ? 1 : 0 })
    .where('service_uuid', '=', serviceUuid)
    .where('node_id', '=', node)
    .where('epoch', '=', epoch)
    .execute()
}

/** After the last commit of the capture: another node may take it. */
export async function giveUpOwnership(
  store: Store,
  serviceUuid: string,
  { node, epoch }: Fence,
): Promise<void> {
  await store.write
    .updateTable('ownership')
    .set({ node_id: null })
    .where('service_uuid', '=', serviceUuid)
    .where('node_id', '=', node)
    .where('epoch', '=', epoch)
    .execute()
}

/**
 * Part of a transaction that commits captures: holds their ownerships until it ends, so that whoever takes one over
 * reads the cursor after this commit or prevents it. Throws StoreError `capture_taken_over`.
 */
export async function holdFences(
  trx: Trx,
  facts: DialectFacts,
  captures: readonly { readonly serviceUuid: string | null; readonly fence?: Fence }[],
): Promise<void> {
  const fences = new Map<string, Fence>()
  for (const { serviceUuid, fence } of captures) {
    if (serviceUuid !== null && fence !== undefined) fences.set(serviceUuid, fence)
  }
  if (fences.size === 0) return
  const services = [...fences.keys()].map((service) => ({ service }))
  const { rows } = await sql<{ service_uuid: string; node_id: string | null; epoch: number }>`
    select service_uuid, node_id, epoch from ownership
    where service_uuid in (
      select r.value ->> 'service' from ${facts.rowsOf(JSON.stringify(services), 'r')})
    order by service_uuid ${facts.awaitRows('ownership')}`.execute(trx)
  const found = new Map(rows.map((row) => [row.service_uuid, row]))
  for (const [service, { node, epoch }] of fences) {
    const row = found.get(service)
    if (row?.node_id === node && row.epoch === epoch) continue
    const says = `The PBX of service ${service} is captured by another process now.`
    throw new StoreError('capture_taken_over', says)
  }
}
