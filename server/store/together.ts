import { StoreError } from '#server/store/store-error.ts'

type Promises<T extends readonly unknown[]> = { readonly [K in keyof T]: Promise<T[K]> }

/**
 * Statements of one transaction that need nothing of each other: on PostgreSQL they are under way at the same time, and
 * run there in the order in which they were called. Waits for all of them also when one fails, since what is
 * sent after the end of the transaction would be committed by itself; then throws what failed first.
 */
export async function together<T extends readonly unknown[]>(...work: Promises<T>): Promise<T> {
  const settled = await Promise.allSettled(work)
  const failed = settled.filter((one) => one.status === 'rejected').map(({ reason }) => reason)
  if (failed.length > 0) throw failed.find((reason) => !isConsequence(reason)) ?? failed[0]
  return settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined)) as unknown as T
}

/** PostgreSQL refuses every statement after one that failed: "current transaction is aborted". */
function isConsequence(reason: unknown): boolean {
  const cause = reason instanceof StoreError ? reason.cause : null
  return cause instanceof Error && 'code' in cause && cause.code === '25P02'
}
