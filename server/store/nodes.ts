/**
 * Nodes: the processes that share a database. Each has a row, whose `beat` it counts up every second.
 *
 * No clock is compared with another: whoever sees a beat stand still for some seconds by its own clock, while its own
 * beats arrive, takes that node for dead and removes its row. In the same transaction the node's leases become due
 * again and the PBXs that it captured are free. A node that was only slow finds its row gone, registers anew, and cannot
 * do harm meanwhile: its captures are fenced off (`ownerships.ts`), its outcomes by their claims (`finish.ts`).
 */
import { sql } from 'kysely'
import { returnInto } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'

export interface NodeIdentity {
  /** Of the data folder: a node that is started again on the same folder has the same. */
  readonly home: string
  /** Name of the machine. */
  readonly host: string
  readonly version: string
}

export interface SeenNode {
  readonly id: string
  readonly home: string
  readonly host: string
  readonly beat: number
  /** The node's own wall clock at that beat, epoch milliseconds. */
  readonly seenAt: number
}

/** Registers this process, or does so again after it was taken for dead. */
export async function registerNode(
  store: Store,
  { home, host, version }: NodeIdentity,
  now: number,
): Promise<void> {
  await store.write
    .insertInto('node')
    // Not from 1 again: an observer must not take the first beats for those that it has seen.
    .values({ id: store.node, home, host, version, beat: now, seen_at: now, started_at: now })
    .onConflict((c) => c.column('id').doNothing())
    .execute()
}

/** Counts up; false: the row is gone, this process was taken for dead. */
export async function beat(store: Store, now: number): Promise<boolean> {
  const done = await store.write
    .updateTable('node')
    .set((e) => ({ beat: e('beat', '+', 1), seen_at: now }))
    .where('id', '=', store.node)
    .executeTakeFirst()
  return done.numUpdatedRows > 0n
}

export async function otherNodes(store: Store): Promise<readonly SeenNode[]> {
  return await store.write
    .selectFrom('node')
    .select(['id', 'home', 'host', 'beat', 'seen_at as seenAt'])
    .where('id', '<>', store.node)
    .orderBy('id')
    .execute()
}

/**
 * Removes a node that is dead, unless it has beaten since; its leases are due again and its PBXs free. Null: it was not
 * dead, or somebody else has removed it.
 */
export async function removeNode(
  store: Store,
  { id, beat: last }: Pick<SeenNode, 'id' | 'beat'>,
  now: number,
): Promise<{ readonly deliveries: number } | null> {
  const removed = await store.write.transaction().execute(async (trx) => {
    const gone = await trx
      .deleteFrom('node')
      .where('id', '=', id)
      .where('beat', '=', last)
      .executeTakeFirst()
    if (gone.numDeletedRows === 0n) return null
    await trx.updateTable('ownership').set({ node_id: null }).where('node_id', '=', id).execute()
    const mine = sql`claim_id like ${`${id}.%`}`
    return {
      deliveries: await returnInto(trx, store.facts, { which: mine, anyLane: true }, now, null),
    }
  })
  if (removed !== null && removed.deliveries > 0) store.ringDue()
  return removed
}

/** At a stop, when nothing is under way any more: the others need not find out. */
export async function leave(store: Store, now: number): Promise<void> {
  const me = await store.write
    .selectFrom('node')
    .select(['id', 'beat'])
    .where('id', '=', store.node)
    .executeTakeFirst()
  if (me !== undefined) await removeNode(store, me, now)
}
