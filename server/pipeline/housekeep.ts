/** Housekeeping: removes what is older than the retention, in small steps with pauses, so that delivery does not feel it. */
import { pause } from '#server/pipeline/pause.ts'
import { pruneIdempotencyKeys } from '#server/store/idempotency-keys.ts'
import { dayMs, preparePartitions } from '#server/store/partitions.ts'
import {
  giveSpaceBack,
  type PruneRequest,
  type PruneStep,
  pruneDeletedWebhooks,
  pruneDeliveries,
  pruneEvents,
  prunePartitions,
} from '#server/store/prune.ts'
import { forgetPreviousSecrets } from '#server/store/signing-secrets.ts'
import type { Store } from '#server/store/store.ts'

export interface HousekeepDeps {
  readonly store: Store
  /** Days for which events, finished deliveries and their attempts are kept. */
  readonly retentionDays: number
  readonly log: {
    readonly info: (facts: object, message: string) => void
    readonly warn: (facts: object, message: string) => void
  }
  /** Epoch milliseconds. */
  readonly now: () => number
}

const everyMs = 3_600_000
const rowsAtOnce = 500
/** 1 MiB of 4 KiB pages: a few milliseconds. */
const pagesAtOnce = 256
/** Between two steps: the write connection is everybody's. */
const pauseMs = 50

/** Runs until the signal aborts; returns after the step under way. */
export async function runHousekeep(deps: HousekeepDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const removed = await sweep(deps, signal)
      if (removed.deliveries + removed.events > 0)
        deps.log.info(removed, 'housekeep: old rows removed')
    } catch (error) {
      deps.log.warn({ err: error }, 'housekeep: not finished, trying again in an hour')
    }
    await pause(everyMs, signal)
  }
}

/** One round over everything; returns how much was removed. */
export async function sweep(
  { store, retentionDays, now }: Omit<HousekeepDeps, 'log'>,
  signal: AbortSignal,
): Promise<{ readonly deliveries: number; readonly events: number }> {
  const request = { before: now() - retentionDays * dayMs, now: now(), limit: rowsAtOnce }
  while (!signal.aborted && (await pruneDeletedWebhooks(store, rowsAtOnce))) {
    await pause(pauseMs, signal)
  }
  const deliveries = await walk(store, pruneDeliveries, request, signal)
  // After the deliveries, which the events must outlive.
  const events = await walk(store, pruneEvents, request, signal)
  // Before the day begins, so that its first event does not wait for a table to be made.
  await preparePartitions(store, now() + dayMs)
  while (!signal.aborted && (await prunePartitions(store, request))) await pause(pauseMs, signal)
  while (!signal.aborted && (await giveSpaceBack(store, pagesAtOnce))) await pause(pauseMs, signal)
  while (!signal.aborted && (await forgetPreviousSecrets(store, now(), rowsAtOnce))) {
    await pause(pauseMs, signal)
  }
  await pruneIdempotencyKeys(store, now(), rowsAtOnce)
  return { deliveries, events }
}

async function walk(
  store: Store,
  step: (store: Store, after: number, request: PruneRequest) => Promise<PruneStep>,
  request: PruneRequest,
  signal: AbortSignal,
): Promise<number> {
  let removed = 0
  for (let after: number | null = 0; after !== null && !signal.aborted; ) {
    const done: PruneStep = await step(store, after, request)
    removed += done.removed
    after = done.next
    if (after !== null) await pause(pauseMs, signal)
  }
  return removed
}
