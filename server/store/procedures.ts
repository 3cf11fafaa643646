import type { RunBatch } from '#server/store/batch.ts'
import { type Claim, type ClaimRequest, claimInto } from '#server/store/claim.ts'
import { type CommitRequest, type Committed, commitInto } from '#server/store/commit.ts'
import type { DialectFacts } from '#server/store/dialect.ts'
import type { MatchingCache } from '#server/store/matching.ts'
import type { Pace } from '#server/store/pace.ts'
import {
  type DocumentReplacement,
  removeServiceInto,
  replaceDocumentInto,
  type ServiceRemoval,
} from '#server/store/service-changes.ts'
import type { Trx } from '#server/store/store.ts'

/** What these transactions know beside the database. */
export interface ProcedureContext {
  readonly facts: DialectFacts
  readonly batch: RunBatch
  readonly matching: MatchingCache
  /** The id of this process among those on the database. */
  readonly node: string
  /** As `Store.holder`. */
  readonly holder: () => string
  /** Days whose partitions are known to be there. */
  readonly days: Set<number>
  readonly pace: Pace
}

interface ProcedureTypes {
  readonly commit: { readonly request: CommitRequest; readonly result: Committed }
  readonly claim: { readonly request: ClaimRequest; readonly result: Claim }
  readonly replaceDocument: { readonly request: DocumentReplacement; readonly result: boolean }
  readonly removeService: { readonly request: ServiceRemoval; readonly result: boolean }
}
export type ProcedureName = keyof ProcedureTypes
export type ProcedureRequest<N extends ProcedureName> = ProcedureTypes[N]['request']
export type ProcedureResult<N extends ProcedureName> = ProcedureTypes[N]['result']

/**
 * The transactions of the hot path, and those that bring thousands of events at once. They run where the connection is: on SQLite in the thread of the write connection,
 * so that a transaction of eight statements is one message there and back, and the event loop is free for the network.
 */
export const procedures: {
  readonly [N in ProcedureName]: (
    trx: Trx,
    context: ProcedureContext,
    request: ProcedureRequest<N>,
  ) => Promise<ProcedureResult<N>>
} = {
  commit: commitInto,
  claim: claimInto,
  replaceDocument: replaceDocumentInto,
  removeService: removeServiceInto,
}

/** After a transaction that was not committed: what is known may be what it changed. */
export function forget({ matching, days }: ProcedureContext): void {
  matching.accounts.clear()
  days.clear()
}
