import { api } from '#contracts/api.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import type { RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { getAccount } from '#server/store/accounts.ts'
import { StoreError } from '#server/store/store-error.ts'

/** Anybody may ask: nothing of paths and machines. */
function whyOf(cause: unknown): string {
  const code = cause instanceof StoreError ? cause.code : ''
  if (code === 'storage_full') return 'The disk of the database is full.'
  if (code === 'database_busy') return 'The database does not answer.'
  return 'The database takes no writes.'
}

export function serveHealth(serving: Serving, { store, open, owns }: RouteDeps): void {
  serve(serving, api.healthz, async () => ({ status: 'ok' as const }))
  serve(serving, api.readyz, async () => {
    if (!open()) throw new ProblemError('not_ready')
    await getAccount(store, '').catch((cause: unknown) => {
      throw new ProblemError('not_ready', 'The database does not answer.', { cause })
    })
    await store.checkWrites().catch((cause: unknown) => {
      throw new ProblemError('not_ready', whyOf(cause), { cause })
    })
    return { status: 'ok' as const, node: store.node, services: [...owns()] }
  })
}
