import { DatabaseSync } from 'node:sqlite'
import {
  CompiledQuery,
  createQueryId,
  type KyselyPlugin,
  type RootOperationNode,
  SqliteQueryCompiler,
} from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { searchAttempts } from '#server/store/attempt-search.ts'
import { perRow, type Rows, type RunBatch, type Select } from '#server/store/batch.ts'
import { claimInto } from '#server/store/claim.ts'
import { type DeliveryFilter, listDeliveries } from '#server/store/delivery-search.ts'
import { type EventFilter, listEvents } from '#server/store/events.ts'
import { createMatchingCache } from '#server/store/matching.ts'
import { createPace } from '#server/store/pace.ts'
import type { ProcedureContext } from '#server/store/procedures.ts'
import { beginReplay, replayStep } from '#server/store/replay-missing.ts'
import type { Store, Trx } from '#server/store/store.ts'
import {
  accept,
  callEvent,
  claim,
  failUntil,
  makeTenant,
  makeWebhook,
  type Tenant,
} from '#test/conformance/fixture.ts'
import { openSqliteTestStore } from '#test/conformance/sqlite-test-store.ts'

/**
 * How SQLite goes about each search: by an index in the order of the list, never through a table. The plans depend on
 * the indexes and the text of the statements alone, so that few rows tell what happens with millions.
 */
const parts = new AsyncDisposableStack()
const seen: RootOperationNode[] = []
const listen: KyselyPlugin = {
  transformQuery({ node }) {
    seen.push(node)
    return node
  },
  transformResult: async ({ result }) => result,
}
let store: Store
let db: DatabaseSync
let tenant: Tenant
let webhookId: string

beforeAll(async () => {
  const opened = parts.use(await openSqliteTestStore())
  store = { ...opened.store, read: opened.store.read.withPlugin(listen) }
  db = parts.adopt(new DatabaseSync(opened.url.replace('sqlite:', '')), (d) => d.close())
  tenant = await makeTenant(store)
  webhookId = (await makeWebhook(store, tenant)).id
  await accept(store, tenant, [callEvent(tenant, 'a'), callEvent(tenant, 'b')])
  for (const lease of (await claim(store, 1_000)).leases) await failUntil(store, lease, 9e6, 1_000)
})
afterAll(async () => await parts.disposeAsync())

/** The steps of the plans of all statements that the search runs. */
async function plansOf(search: () => Promise<unknown>): Promise<readonly string[]> {
  seen.length = 0
  await search()
  const compiler = new SqliteQueryCompiler()
  return seen.flatMap((node) => {
    const { sql, parameters } = compiler.compileQuery(node, createQueryId())
    const plan = db.prepare(`explain query plan ${sql}`).all(...(parameters as string[]))
    return plan.map((step) => String(step.detail))
  })
}

const callUuid = eventSamples['call.ended'].call.uuid
const caller = eventSamples['call.inbound.received'].call.source.number ?? ''
const period = { since: 1, until: 9_000_000 }

/** Reading a whole table, or sorting all that was found before the first of it can be told. */
const slow = /^SCAN (?!CONSTANT)(event|delivery|attempt|call_number|began|lane|webhook)|TEMP B-TREE/

describe('deliveries', () => {
  test.each<[string, DeliveryFilter]>([
    ['delivery_list', {}],
    ['delivery_list', period],
    ['delivery_list', { ...period, eventType: 'call.ended' }],
    ['delivery_list', { state: 'pending' }],
    ['delivery_list', { status: { from: 200, to: 299 } }],
    ['delivery_failed', { status: { from: 500, to: 599 } }],
    ['delivery_failed', { ...period, error: 'status' }],
    ['delivery_given_up', { state: 'exhausted' }],
    ['delivery_given_up', { ...period, state: 'cancelled' }],
  ])('by %s: %j', async (index, filter) => {
    for (const search of [listDeliveries, searchAttempts]) {
      // What the attempts have in common with a delivery is only its last one.
      if (search === searchAttempts && (filter.status ?? filter.error) !== undefined) continue
      const steps = await plansOf(() => search(store, tenant.account.id, filter, { limit: 10 }))
      expect(steps.filter((step) => slow.test(step))).toEqual([])
      expect(steps.filter((step) => step.includes('delivery USING'))).not.toEqual([])
      // Attempts of a period: what was made in it, or a little before, and then what is late, by an index of its own.
      const used = steps.filter((step) => step.includes('delivery USING'))
      for (const step of used.filter((step) => !step.includes(' delivery_late '))) {
        expect(step).toContain(` ${index} `)
        if (filter.since !== undefined) expect(step).toContain('created_at>? AND created_at<?')
      }
    }
  })

  test('attempts of a short period: late deliveries by an index of their own', async () => {
    const short = { since: 50_000_000, until: 50_300_000 }
    const steps = await plansOf(() =>
      searchAttempts(store, tenant.account.id, short, { limit: 10 }),
    )
    expect(steps.filter((step) => slow.test(step))).toEqual([])
    expect(steps.join('\n')).toContain('delivery_late (account_id=?')
  })

  test.each<[string, () => DeliveryFilter]>([
    ['delivery_webhook', () => ({ webhookId })],
    ['delivery_webhook', () => ({ webhookId, ...period, state: 'delivered' })],
    ['delivery_given_up', () => ({ webhookId, state: 'exhausted' })],
  ])('of a webhook by %s', async (index, filter) => {
    const search = () => listDeliveries(store, tenant.account.id, filter(), { limit: 10 })
    const steps = await plansOf(search)
    expect(steps.filter((step) => slow.test(step))).toEqual([])
    expect(steps.join('\n')).toContain(` ${index} `)
  })

  test('of a call or an event: by the index of calls, sorted when found', async () => {
    for (const filter of [{ callUuid }, { eventId: 'evt_1' }]) {
      const steps = await plansOf(() =>
        listDeliveries(store, tenant.account.id, filter, { limit: 10 }),
      )
      expect(steps.filter((step) => step.startsWith('SCAN'))).toEqual([])
      expect(steps.join('\n')).toContain('delivery_event')
    }
  })

  test('of a number: by the number, the call, the event', async () => {
    const steps = await plansOf(() =>
      listDeliveries(store, tenant.account.id, { numberKeys: [caller, '201'] }, { limit: 10 }),
    )
    const text = steps.join('\n')
    expect(text).toMatch(/call_number_0 USING PRIMARY KEY/)
    expect(text).toContain('event_call')
    expect(text).toContain('delivery_event')
    expect(text).not.toMatch(/SCAN (event|delivery|began|call_number)/)
  })
})

describe('events', () => {
  test.each<[EventFilter]>([
    [{}],
    [period],
    [{ ...period, type: 'call.ended' }],
    [{ serviceUuid: callUuid }],
  ])('by time: %j', async (filter) => {
    const steps = await plansOf(() => listEvents(store, tenant.account.id, filter, { limit: 10 }))
    expect(steps.filter((step) => slow.test(step))).toEqual([])
    expect(steps.join('\n')).toContain('event_list')
  })

  test('of a call', async () => {
    const steps = await plansOf(() =>
      listEvents(store, tenant.account.id, { callUuid }, { limit: 10 }),
    )
    expect(steps.join('\n')).toContain('event_call')
  })
})

test('a replay walks the numbers of the events: none is sorted, nor read twice', async () => {
  const accountId = tenant.account.id
  const replay = await beginReplay(store, { accountId, webhookId, since: 0, until: 9e6 })
  if (replay === null) throw new Error('no account')
  for (const after of [0, 1]) {
    const walk = { startedAt: 2_000, after }
    const steps = await plansOf(() => replayStep(store, replay, walk, 100, 2_000))
    expect(steps.filter((step) => step.includes('TEMP B-TREE'))).toEqual([])
    // By the time only for when the first of the period happened, once.
    expect(steps.filter((step) => step.includes('event_list'))).toHaveLength(after === 0 ? 1 : 0)
    expect(steps.join('\n')).toContain('SEARCH event USING INTEGER PRIMARY KEY (rowid>?')
  }
})

/**
 * A claim reads heads of indexes: what else waits in a lane, a million or none, costs it nothing. Looked up in the index
 * of what is due, the earlier events of a call would be looked for in the whole backlog, once per candidate.
 */
describe('the claim', () => {
  const steps: string[] = []
  const runEach = async <R>(trx: Trx, text: string, rows: Rows): Promise<readonly R[]> => {
    const made: R[] = []
    for (const row of rows) {
      const plan = db.prepare(`explain query plan ${text}`).all(...row)
      steps.push(...plan.map((step) => String(step.detail)))
      made.push(...(await trx.executeQuery<R>(CompiledQuery.raw(text, [...row]))).rows)
    }
    return made
  }
  const batch: RunBatch = {
    select: async <R>(trx: Trx, one: Select, rows: Rows) =>
      await runEach<R>(trx, perRow(one), rows),
    update: async (trx, one, rows) => await runEach(trx, perRow(one), rows),
    // A claim makes nothing.
    insert: async () => [],
  }

  test.each([
    { ahead: 0, order: 'first_try' },
    { ahead: 100, order: 'first_try' },
    { ahead: 100, order: 'strict' },
  ] as const)('goes by what is due, and by call: %j', async ({ ahead, order }) => {
    const webhook = await makeWebhook(store, tenant, { order })
    await accept(store, tenant, [callEvent(tenant, `${ahead} ${order}`)])
    const { facts, node, holder } = store
    const matching = createMatchingCache()
    const pace = createPace()
    pace.set(webhook.id, { ms: 10, successes: 1_000 })
    const context: ProcedureContext = {
      ...{ facts, node, holder, batch, matching },
      days: new Set(),
      pace,
    }
    const request = { now: 2_000, limit: 100, troubledLimit: 100, ahead }
    let leased = 0
    steps.length = 0
    const others = await plansOf(async () => {
      await store.write
        .withPlugin(listen)
        .transaction()
        .execute(async (trx) => {
          leased = (await claimInto(trx, context, request)).leases.length
        })
    })
    expect(leased).toBeGreaterThan(0)
    expect(
      [...steps, ...others].filter((step) =>
        /^SCAN (event|delivery|d|earlier|lane|webhook)\b/.test(step),
      ),
    ).toEqual([])
    const d = steps.filter((step) => step.startsWith('SEARCH d '))
    expect(d).not.toEqual([])
    for (const step of d)
      expect(step).toContain('delivery_due (webhook_id=? AND turn=? AND due_at<?)')
    const earlier = steps.filter((step) => step.startsWith('SEARCH earlier '))
    expect(earlier).not.toEqual([])
    for (const step of earlier)
      expect(step).toMatch(
        /delivery_(order|blocking) \(webhook_id=\? AND call_uuid=\? AND seq<\?\)/,
      )
  })
})
