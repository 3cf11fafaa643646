/** Strict order, the whole way: a webhook made by the API, a deliverer, a receiver that fails, on either database. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Delivery } from '#contracts/delivery.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import { createSender } from '#server/outbound/attempt.ts'
import { runDeliver } from '#server/pipeline/deliver.ts'
import { acceptEvents } from '#server/store/accept.ts'
import type { Api } from '#test/api/start-api.ts'
import { acceptanceOf, callEvent, type Tenant } from '#test/conformance/fixture.ts'
import { type ReceivedRequest, type Receiver, startReceiver } from '#test/support/receiver.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { waitUntil } from '#test/support/wait-until.ts'

export function runStrictOrder(open: () => Promise<Api>): void {
  describe('strict order', () => {
    let parts: AsyncDisposableStack
    let api: Api
    let receiver: Receiver
    let tenant: Tenant

    beforeEach(async () => {
      parts = new AsyncDisposableStack()
      api = parts.use(await open())
      receiver = parts.use(await startReceiver())
      const service = await request('POST', '/services', {
        name: 'pbx1',
        friendly_name: 'Office',
        applications_enabled: true,
        connection: { kind: 'asterisk_managed' },
      })
      tenant = { account: api.anna.account, serviceUuid: service.uuid }
      const sender = parts.adopt(createSender({ policy: loopbackPolicy }), (s) => s.close())
      const end = new AbortController()
      const note = () => undefined
      const ended = runDeliver(
        {
          store: api.store,
          sender,
          templates,
          version: 'test',
          maxInFlight: 16,
          stopMs: 1_000,
          disableAfterMs: null,
          log: { info: note, warn: note, error: note },
          now: Date.now,
        },
        end.signal,
      )
      parts.defer(async () => {
        end.abort()
        await ended
      })
    })
    afterEach(async () => await parts.disposeAsync())

    async function request(method: string, path: string, body?: object) {
      const reply = await api.anna.request(method, `/api/v1${path}`, { body })
      expect(reply.status, JSON.stringify(reply.body)).toBeLessThan(300)
      return reply.body
    }
    const createWebhook = async (more: object): Promise<Webhook> =>
      await request('POST', '/webhooks', {
        name: 'strict',
        url: receiver.url,
        service_uuid: tenant.serviceUuid,
        triggers: ['call.inbound.received'],
        order: 'strict',
        retries: 0,
        ...more,
      })

    /** Three events of each of two calls, as a PBX tells them: mixed. */
    async function twoCalls(): Promise<void> {
      const events = [1, 2, 3].flatMap((n) => ['a', 'b'].map((call) => callEvent(tenant, call, n)))
      await acceptEvents(api.store, acceptanceOf(tenant, events, { now: Date.now() }))
    }
    const uuidOf = (call: string) => {
      const event = callEvent(tenant, call)
      return 'call' in event ? event.call.uuid : ''
    }
    const sequenceOf = (one: ReceivedRequest) =>
      one.event !== null && 'sequence' in one.event ? one.event.sequence : null
    /** The sequences that arrived of the call. */
    const arrived = (call: string) =>
      receiver.requests
        .filter(
          ({ event }) => event !== null && 'call' in event && event.call.uuid === uuidOf(call),
        )
        .map(sequenceOf)
    const isSecondOfA = (one: ReceivedRequest) =>
      sequenceOf(one) === 2 &&
      one.event !== null &&
      'call' in one.event &&
      one.event.call.uuid === uuidOf('a')
    const deliveries = async (call: string): Promise<readonly Delivery[]> =>
      (await request('GET', `/deliveries?call_uuid=${uuidOf(call)}`)).items.toReversed()
    const states = async (call: string) => (await deliveries(call)).map(({ state }) => state)
    const until = async (call: string, wanted: readonly string[]) =>
      await waitUntil(async () => `${await states(call)}` === `${wanted}`, {
        what: `call ${call} is ${wanted}`,
      })

    const refuseSecondOfA = () =>
      receiver.respond((one) => (isSecondOfA(one) ? { status: 500 } : {}))

    test('skip: an event that is given up lets the next ones of its call go', async () => {
      refuseSecondOfA()
      await createWebhook({ on_exhausted: 'skip' })
      await twoCalls()
      await until('a', ['delivered', 'exhausted', 'delivered'])
      await until('b', ['delivered', 'delivered', 'delivered'])
      expect([arrived('a'), arrived('b')]).toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ])
    })

    test('block: the later ones wait, and say for what, until somebody resends it', async () => {
      refuseSecondOfA()
      const { id } = await createWebhook({ on_exhausted: 'block' })
      await twoCalls()
      await until('a', ['delivered', 'exhausted', 'held'])
      await until('b', ['delivered', 'delivered', 'delivered'])
      expect(arrived('a')).toEqual([1, 2])
      const [, second, third] = await deliveries('a')
      expect(third?.held_because).toBe('earlier_event_failed')
      const why = await request('GET', `/events/${third?.event_id}/explain`)
      expect(why.items).toMatchObject([{ webhook_id: id, code: 'waiting_earlier_event' }])

      receiver.respond(() => ({}))
      await request('POST', `/deliveries/${second?.id}/resend`)
      await until('a', ['delivered', 'delivered', 'delivered'])
      expect(arrived('a')).toEqual([1, 2, 2, 3])
    })

    test('block: or until somebody cancels it', async () => {
      refuseSecondOfA()
      await createWebhook({ on_exhausted: 'block' })
      await twoCalls()
      await until('a', ['delivered', 'exhausted', 'held'])
      const [, second] = await deliveries('a')
      await request('POST', `/deliveries/${second?.id}/cancel`)
      await until('a', ['delivered', 'cancelled', 'delivered'])
      expect(arrived('a')).toEqual([1, 2, 3])
    })

    test('the next one waits while one is tried again, and other calls do not', async () => {
      let failed = 0
      receiver.respond((one) => {
        if (!isSecondOfA(one)) return {}
        failed += 1
        return failed === 1 ? { status: 503, headers: { 'retry-after': '1' } } : {}
      })
      await createWebhook({ retries: 3 })
      await twoCalls()
      await until('b', ['delivered', 'delivered', 'delivered'])
      await until('a', ['delivered', 'delivered', 'delivered'])
      expect(arrived('a')).toEqual([1, 2, 2, 3])
    })

    test('with a delay each first try comes that long after its event, in order', async () => {
      await createWebhook({ delay_seconds: 1, concurrency: 10 })
      const before = performance.now()
      await twoCalls()
      await until('a', ['delivered', 'delivered', 'delivered'])
      expect(arrived('a')).toEqual([1, 2, 3])
      for (const { at } of receiver.requests) expect(at - before).toBeGreaterThanOrEqual(990)
    })
  })
}
