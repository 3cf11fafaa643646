/** What the queue of deliveries must do, whatever database it is on. Beside `store.ts`, so that both run at the same time. */
import { describe } from 'vitest'
import { runClaimConformance } from '#test/conformance/claim.ts'
import { runHandOverConformance } from '#test/conformance/hand-over.ts'
import { runIsolationConformance } from '#test/conformance/isolation.ts'
import { runLastTimeConformance } from '#test/conformance/last-time.ts'
import { runLeaseConformance } from '#test/conformance/leases.ts'
import { runNodeConformance } from '#test/conformance/nodes.ts'
import { runOrderConformance } from '#test/conformance/order.ts'
import { runPruneConformance } from '#test/conformance/prune.ts'
import type { OpenTestStore } from '#test/conformance/test-store.ts'

export function runQueueConformance(name: string, open: OpenTestStore): void {
  describe(`queue on ${name}`, () => {
    runClaimConformance(open)
    runLeaseConformance(open)
    runHandOverConformance(open)
    runIsolationConformance(open)
    runOrderConformance(open)
    runNodeConformance(open)
    runLastTimeConformance(open)
    runPruneConformance(open)
  })
}
