/** Test requests of a webhook, beside its deliveries: nothing is stored, whatever comes of them. */
import type { Event } from '#contracts/events/catalogue.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { createSending, type SendDeps, type Sent, send, testMarks } from '#server/pipeline/send.ts'
import { readForSending } from '#server/store/webhook-requests.ts'

export interface TestSent extends Omit<Sent, 'requestBody'> {
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly requestBody: string
}

export interface Tester {
  /** Null: the account has no such webhook. `too_many`: so many of the account are under way already. */
  readonly send: (
    accountId: string,
    webhookId: string,
    event: Event,
  ) => Promise<TestSent | null | 'too_many'>
}

/** Somebody who presses a button and waits. */
const mostOfAccount = 4

export function createTester(deps: SendDeps & { readonly now: () => number }): Tester {
  const sending = createSending(deps)
  const underWay = new Map<string, number>()

  async function sendNow(accountId: string, webhookId: string, event: Event) {
    const webhook = await readForSending(deps.store, accountId, webhookId)
    if (webhook === null) return null
    const body = nativeBody(event)
    const startedAt = deps.now()
    const sent = await send(sending, webhook, { id: event.id, body }, testMarks, startedAt)
    return { ...sent, startedAt, requestBody: sent.requestBody ?? body }
  }
  return {
    async send(accountId, webhookId, event) {
      const now = underWay.get(accountId) ?? 0
      if (now >= mostOfAccount) return 'too_many'
      underWay.set(accountId, now + 1)
      try {
        return await sendNow(accountId, webhookId, event)
      } finally {
        const left = (underWay.get(accountId) ?? 1) - 1
        if (left > 0) underWay.set(accountId, left)
        else underWay.delete(accountId)
      }
    },
  }
}
