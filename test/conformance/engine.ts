import fc from 'fast-check'
import { expect } from 'vitest'
import type { EventOf } from '#contracts/events/catalogue.ts'
import type { Lease } from '#server/store/claim.ts'
import { reapAtStart } from '#server/store/reap.ts'
import type { Store } from '#server/store/store.ts'
import { deleteWebhook, setWebhookEnabled } from '#server/store/webhooks.ts'
import {
  accept,
  callEvent,
  claim,
  failUntil,
  makeTenant,
  makeWebhook,
  succeed,
  type Tenant,
} from '#test/conformance/fixture.ts'

/** What can happen to the engine. */
type Step =
  | { readonly do: 'accept'; readonly events: number }
  | { readonly do: 'claim'; readonly limit: number }
  | { readonly do: 'succeed' | 'fail' | 'crash' | 'enable' | 'disable' | 'wait' | 'outage' }

const bare = (name: 'succeed' | 'fail' | 'crash' | 'enable' | 'disable' | 'wait' | 'outage') =>
  fc.constant<Step>({ do: name })

export const engineSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.integer({ min: 1, max: 3 }).map((events): Step => ({ do: 'accept', events })),
    fc.integer({ min: 1, max: 6 }).map((limit): Step => ({ do: 'claim', limit })),
    bare('succeed'),
    bare('fail'),
    bare('crash'),
    bare('enable'),
    bare('disable'),
    // Longer than the pauses of a circuit breaker.
    bare('wait'),
    bare('outage'),
  ),
  { maxLength: 40 },
)

const maxInFlight = 3
const longerThanLeases = 3_600_000

const callOf = ({ event }: Lease): string =>
  (JSON.parse(event.body) as EventOf<'call.inbound.received'>).call.uuid

/**
 * Plays the steps against one webhook, then lets everything come to its end. Throws unless each event that was accepted
 * while the webhook was on was delivered exactly once, never more were under way than allowed, no lease of a live claim
 * was lost, while the breaker was not closed one was under way at most beside those that it opened on, and the first
 * tries of each call went one after the other; in strict order, all tries.
 */
export async function playEngine(
  store: Store,
  order: 'first_try' | 'strict',
  steps: readonly Step[],
): Promise<void> {
  const tenant = await makeTenant(store)
  const webhook = await makeWebhook(store, tenant, { concurrency: maxInFlight, order })
  try {
    await play(store, tenant, webhook.id, order, steps)
  } finally {
    // The next play finds nothing of this one to claim, also when it failed half-way.
    await deleteWebhook(store, tenant.account.id, webhook.id, 0)
  }
}

async function play(
  store: Store,
  tenant: Tenant,
  webhookId: string,
  order: 'first_try' | 'strict',
  steps: readonly Step[],
): Promise<void> {
  const delivered = new Map<string, number>()
  const leases: Lease[] = []
  /** The events of each call that await the end of their first try, in strict order their delivery. */
  const awaited = new Map<string, string[]>()
  let accepted = 0
  let named = 0
  let now = 1_000
  let on = true

  const end = async (how: 'succeed' | 'fail') => {
    const lease = leases.shift()
    if (lease === undefined) return
    const over = how === 'succeed' || order === 'first_try'
    if (over && awaited.get(callOf(lease))?.[0] === lease.event.id)
      awaited.get(callOf(lease))?.shift()
    if (how === 'fail') {
      expect(await failUntil(store, lease, now, now)).toBe(true)
      return
    }
    expect(await succeed(store, lease, now)).toBe(true)
    delivered.set(lease.event.id, (delivered.get(lease.event.id) ?? 0) + 1)
  }
  const take = async (limit: number) => {
    const claimed = await claim(store, now, limit)
    leases.push(...claimed.leases)
    for (const lease of claimed.leases) {
      const first = order === 'strict' || lease.attempts === 0
      if (first) expect(awaited.get(callOf(lease))?.[0]).toBe(lease.event.id)
      if (lease.webhook.probe) expect(leases).toHaveLength(1)
    }
    expect(leases.length).toBeLessThanOrEqual(maxInFlight)
    return claimed.leases.length
  }
  const crash = async () => {
    leases.length = 0
    // Where others may be on the database, what a dead process had comes back when its leases run out.
    if (!store.facts.singleProcess) now += longerThanLeases
    await reapAtStart(store, now)
  }
  const turn = async (to: boolean) => {
    on = to
    await setWebhookEnabled(store, tenant.account.id, webhookId, to, now)
  }
  const acceptSome = async (count: number) => {
    const events = Array.from({ length: count }, (_, i) => {
      named += 1
      return callEvent(tenant, `call ${i}`, named)
    })
    await accept(store, tenant, events, now)
    if (!on) return
    accepted += count
    for (const event of events) {
      const call = 'call' in event ? event.call.uuid : ''
      awaited.set(call, [...(awaited.get(call) ?? []), event.id])
    }
  }
  const actions = {
    accept: async (step: Extract<Step, { do: 'accept' }>) => await acceptSome(step.events),
    claim: async (step: Extract<Step, { do: 'claim' }>) => void (await take(step.limit)),
    succeed: async () => await end('succeed'),
    fail: async () => await end('fail'),
    crash,
    enable: async () => await turn(true),
    disable: async () => await turn(false),
    wait: async () => {
      now += 600_000
    },
    outage: async () => {
      for (let i = 0; i < 6; i += 1) {
        await take(1)
        await end('fail')
      }
    },
  }

  for (const step of steps) {
    now += 10
    await (actions[step.do] as (step: Step) => Promise<void>)(step)
  }
  await crash()
  await turn(true)
  while ((await take(100)) > 0) {
    now += 10
    while (leases.length > 0) await end('succeed')
  }
  expect(delivered.size).toBe(accepted)
  expect([...delivered.values()].every((times) => times === 1)).toBe(true)
}
