import { api } from '#contracts/api.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import type { RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { getAccount } from '#server/store/accounts.ts'

export function serveHealth(serving: Serving, { store, open }: RouteDeps): void {
  serve(serving, api.healthz, async () => ({ status: 'ok' as const }))
  serve(serving, api.readyz, async () => {
    if (!open()) throw new ProblemError('not_ready')
    await getAccount(store, '').catch((cause: unknown) => {
      throw new ProblemError('not_ready', 'The database does not answer.', { cause })
    })
    return { status: 'ok' as const }
  })
}
