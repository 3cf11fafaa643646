/**
 * Sending again, replaying, cancelling. Work on many rows goes in steps within the request, for some seconds; then the
 * answer has a cursor to go on with (docs/decisions/0011). Nothing runs on unseen, and to ask again is harmless.
 */
import { api } from '#contracts/api.ts'
import type { BulkResult } from '#contracts/bulk.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import { found, type RouteDeps } from '#server/http/route-deps.ts'
import { type Serving, serve } from '#server/http/serve.ts'
import { takeSteps } from '#server/pipeline/take-steps.ts'
import { type StepOf, walkCursor, walkOf } from '#server/store/bulk.ts'
import { cancelDelivery, cancelWaitingStep } from '#server/store/cancel.ts'
import { getDelivery } from '#server/store/deliveries.ts'
import { enableDisabledStep } from '#server/store/enable-disabled.ts'
import { beginReplay, replayStep } from '#server/store/replay-missing.ts'
import { recoverStep, resendDelivery } from '#server/store/resend.ts'
import { getWebhook } from '#server/store/webhooks.ts'

/** Well within the patience of proxies, which is a minute as a rule. */
const forMs = 5_000

interface Bulk {
  readonly caller: { readonly id: string }
  readonly params: { readonly id: string }
  readonly query: { readonly cursor?: string | undefined }
}

/** ISO times of a body as epoch milliseconds. */
function periodOf({ since, until }: { since: string; until?: string | undefined }) {
  return {
    since: Date.parse(since),
    until: until === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(until),
  }
}

export function serveRecovery(serving: Serving, { store, now }: RouteDeps): void {
  const work = async (
    name: string,
    { cursor }: { readonly cursor?: string | undefined },
    step: StepOf,
  ): Promise<BulkResult> => {
    const from = walkOf(name, cursor, now())
    const { changed, rest } = await takeSteps(step, from, {
      forMs,
      signal: new AbortController().signal,
    })
    return { count: changed, next_cursor: rest === null ? null : walkCursor(name, rest) }
  }
  const webhookOf = async ({ caller, params }: Bulk) =>
    found(await getWebhook(store, caller.id, params.id))

  serve(serving, api.resendDelivery, async ({ caller, params: { id } }) => {
    const result = found(await resendDelivery(store, caller.id, id, now()))
    if (result === 'worn_out') throw new ProblemError('cannot_resend')
    return found(await getDelivery(store, caller.id, id))
  })
  serve(serving, api.cancelDelivery, async ({ caller, params: { id } }) => {
    const result = found(await cancelDelivery(store, caller.id, id, now()))
    if (result === 'not_waiting') throw new ProblemError('not_waiting')
    return found(await getDelivery(store, caller.id, id))
  })

  serve(serving, api.recoverDeliveries, async (input) => {
    const { id } = await webhookOf(input)
    const period = periodOf(input.body)
    return await work(`recover ${id}`, input.query, async (walk, limit) =>
      recoverStep(store, id, period, walk, limit, now()),
    )
  })
  serve(serving, api.replayMissing, async (input) => {
    const { id, disabled_reason } = await webhookOf(input)
    if (disabled_reason === 'by_user') throw new ProblemError('webhook_disabled')
    const accountId = input.caller.id
    const replay = found(
      await beginReplay(store, { accountId, webhookId: id, ...periodOf(input.body) }),
    )
    return await work(`replay ${id}`, input.query, async (walk, limit) =>
      replayStep(store, replay, walk, limit, now()),
    )
  })
  serve(serving, api.cancelWaiting, async (input) => {
    const { id } = await webhookOf(input)
    return await work(`cancel ${id}`, input.query, async (walk, limit) =>
      cancelWaitingStep(store, id, walk, limit, now()),
    )
  })
  serve(serving, api.enableDisabledWebhooks, async ({ caller, query }) => {
    return await work('enable-disabled', query, async (walk, limit) =>
      enableDisabledStep(store, caller.id, walk, limit, now()),
    )
  })
}
