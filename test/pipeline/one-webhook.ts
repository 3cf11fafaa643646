/** One webhook, a real receiver, and a deliverer between a real store and it: what a setting does to the request. */
import type { Attempt } from '#contracts/delivery.ts'
import type { Event } from '#contracts/events/catalogue.ts'
import { type Webhook, WebhookDraft } from '#contracts/webhook/webhook.ts'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { listAttempts } from '#server/store/attempts.ts'
import { listDeliveries } from '#server/store/delivery-search.ts'
import type { Store } from '#server/store/store.ts'
import { createWebhook } from '#server/store/webhooks.ts'
import { acceptanceOf, makeTenant, type Tenant } from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'
import type { OpenTestStore } from '#test/conformance/test-store.ts'
import { type ReceivedRequest, type Receiver, startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

export const signingSecret = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`

export interface OneWebhook extends AsyncDisposable {
  readonly store: Store
  readonly tenant: Tenant
  readonly webhook: Webhook
  readonly receiver: Receiver
  /** Accepts the event, with the tenant's account and service in it; the request that comes of it. */
  readonly send: (event: Event) => Promise<ReceivedRequest>
  /** Accepts the event likewise; the attempt that was written down of it, whoever it went to. */
  readonly deliver: (event: Event) => Promise<Attempt>
  /** The attempt that was written down last. */
  readonly lastAttempt: () => Promise<Attempt>
}

interface Surroundings {
  /** Appended to the receiver's URL. */
  readonly path?: string
  /** The clock of all that happens to it, epoch milliseconds. */
  readonly now?: () => number
  readonly open?: OpenTestStore
}

/** `settings`: those of a draft, but its URL unless it goes elsewhere. */
export async function oneWebhook(
  settings: object,
  { path = '', now = Date.now, open = openSqliteTestStore }: Surroundings = {},
): Promise<OneWebhook> {
  const parts = new AsyncDisposableStack()
  const { store } = parts.use(await open())
  const tenant = await makeTenant(store)
  const receiver = parts.use(await startReceiver({ secret: signingSecret }))
  const draft = WebhookDraft.parse({
    name: 'one',
    url: receiver.url + path,
    triggers: ['call.ended'],
    secret: signingSecret,
    ...settings,
  })
  const webhook = await createWebhook(store, tenant.account.id, draft, now())
  const sender = parts.adopt(createSender({ policy: loopbackPolicy }), (s) => s.close())
  const end = new AbortController()
  const note = () => undefined
  const ended = runDeliver(
    {
      store,
      sender,
      templates,
      version: 'test',
      maxInFlight: 8,
      stopMs: 1_000,
      disableAfterMs: null,
      log: { info: note, warn: note, error: note },
      now,
    },
    end.signal,
  )
  parts.defer(async () => {
    end.abort()
    await ended
  })
  const { account, serviceUuid } = tenant
  const deliveries = async () => (await listDeliveries(store, account.id, {}, { limit: 50 })).items
  async function accept(event: Event): Promise<void> {
    const service = event.service === null ? null : { ...event.service, uuid: serviceUuid }
    const own = { ...event, account: { ...event.account, id: account.id }, service } as Event
    await acceptEvents(store, acceptanceOf(tenant, [own], { now: now() }))
  }
  const written = async () =>
    await waitUntil(async () => (await deliveries()).every(({ attempts }) => attempts > 0), {
      what: 'it is written down',
    })
  async function lastAttempt(): Promise<Attempt> {
    const [delivery] = await deliveries()
    const attempts = await listAttempts(store, account.id, delivery?.id ?? '', { limit: 50 })
    const last = attempts?.items.toSorted((a, b) => b.number - a.number)[0]
    if (last === undefined) throw new Error('there is no attempt')
    return last
  }
  return {
    store,
    tenant,
    webhook,
    receiver,
    async send(event) {
      const before = receiver.requests.length
      await accept(event)
      const requests = await receiver.waitFor((all) => all.length > before, 'the request')
      const request = requests[before]
      if (request === undefined) throw new Error('there is no request')
      await written()
      return request
    },
    async deliver(event) {
      await accept(event)
      await written()
      return await lastAttempt()
    },
    lastAttempt,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
