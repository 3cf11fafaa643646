/** Scopes of webhooks by the API: lists by scope, changes of it, global webhooks, the Applications switch. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Event, EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import type { Verdict } from '#contracts/explain.ts'
import type { Webhook } from '#contracts/webhook/webhook.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { acceptanceOf, callEvent } from '#test/conformance/fixture.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const request = async (method: string, path: string, body?: object) =>
  await server.anna.request(method, `/api/v1${path}`, { body })

let services = 0
async function createService(more: object = {}): Promise<string> {
  services += 1
  const connection = { kind: 'asterisk_managed' }
  const draft = { name: `scopes${services}`, friendly_name: 'Office', connection, ...more }
  return (await request('POST', '/services', draft)).body.uuid
}

async function createWebhook(more: object): Promise<Webhook> {
  const draft = { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'], ...more }
  const { status, body } = await request('POST', '/webhooks', draft)
  expect(body, JSON.stringify(body)).toMatchObject({ id: expect.any(String) })
  expect(status).toBe(201)
  return body
}

const globalOf = (service_uuid: string, more: object = {}) => ({
  scope: 'global',
  service_uuid,
  triggers: ['user.inbound.ringing', 'user.inbound.answered', 'webhook_component_event'],
  authentication: { type: 'pbx_token', token: 'secret-token' },
  ...more,
})

const put = async (uuid: string, url: string) =>
  await request('PUT', `/services/${uuid}/pbx`, {
    name: 'pbx',
    components: [{ name: 'vip', webhook: { url }, next: { type: 'hangup' } }],
  })

describe('the list', () => {
  const made: Record<string, string> = {}
  let uuid: string
  beforeAll(async () => {
    uuid = await createService()
    made.account = (await createWebhook({ name: 'Everything' })).id
    made.service = (await createWebhook({ service_uuid: uuid, name: 'Sales of Zürich' })).id
    made.global = (await createWebhook(globalOf(uuid, { name: 'Phone Cloud', enabled: false }))).id
    await put(uuid, 'https://crm.example/vip')
    const { body } = await request('GET', `/webhooks?service_uuid=${uuid}&scope=call_flow`)
    made.call_flow = body.items[0].id
  })

  test.each([
    ['scope=account', ['account']],
    ['scope=service', ['service']],
    ['scope=global', ['global']],
    ['scope=call_flow', ['call_flow']],
    ['state=disabled', ['global']],
    ['state=enabled', ['call_flow', 'service', 'account']],
    ['state=failing', []],
    ['name=SALES', ['service']],
    [`name=${encodeURIComponent('ZÜRICH')}`, ['service']],
    ['name=%25', []],
    ['name=_', []],
    ['trigger=webhook_component_event', ['call_flow', 'global']],
    ['trigger=webhook_component_event&state=enabled', ['call_flow']],
    ['scope=service&state=disabled', []],
  ])('%s', async (query, expected) => {
    const { status, body } = await request('GET', `/webhooks?${query}`)
    expect(status).toBe(200)
    expect(body.items.map((one: Webhook) => one.id)).toEqual(expected.map((name) => made[name]))
  })

  test('it goes on by cursor with the same filter, and is of the caller only', async () => {
    const { body } = await request('GET', '/webhooks?state=enabled&limit=2')
    const { next_cursor } = body
    const rest = await request('GET', `/webhooks?state=enabled&limit=2&cursor=${next_cursor}`)
    const ids = [...body.items, ...rest.body.items].map((one: Webhook) => one.id)
    expect(ids).toEqual([made.call_flow, made.service, made.account])
    expect(rest.body.next_cursor).toBeNull()
    const other = await server.bert.request('GET', '/api/v1/webhooks?scope=account')
    expect(other.body.items).toEqual([])
    expect(
      (await server.bert.request('GET', `/api/v1/webhooks?service_uuid=${uuid}`)).body.items,
    ).toEqual([])
  })

  test.each([
    ['scope=everything', 'scope', 'not_allowed'],
    ['state=broken', 'state', 'not_allowed'],
    ['name=', 'name', 'too_small'],
    ['enabled=true', 'enabled', 'unknown_field'],
    ['scope=account&scope=global', 'scope', 'not_allowed'],
    ['__proto__=x', '__proto__', 'unknown_field'],
  ])('%s is refused by name', async (query, field, code) => {
    const { status, body } = await request('GET', `/webhooks?${query}`)
    expect(status).toBe(422)
    expect(body.errors).toEqual([expect.objectContaining({ field, code })])
  })
})

describe('a change of scope', () => {
  test('follows service_uuid between account and service', async () => {
    const service_uuid = await createService()
    const { id } = await createWebhook({})
    const to = await request('PATCH', `/webhooks/${id}`, { service_uuid })
    expect(to.body).toMatchObject({ scope: 'service', service_uuid })
    const back = await request('PATCH', `/webhooks/${id}`, { service_uuid: null })
    expect(back.body).toMatchObject({ scope: 'account', service_uuid: null })
  })

  test('makes a global webhook of one that has all it needs, and back', async () => {
    const service_uuid = await createService()
    const { id } = await createWebhook({ service_uuid })
    const bare = await request('PATCH', `/webhooks/${id}`, { scope: 'global' })
    expect(bare.status).toBe(422)
    const missing = bare.body.errors.map((error: { field: string }) => error.field)
    expect(missing).toEqual(['payload', 'authentication'])
    const { triggers, authentication } = globalOf(service_uuid)
    const change = { scope: 'global', triggers, authentication, payload: { style: 'phone-cloud' } }
    const to = await request('PATCH', `/webhooks/${id}`, change)
    expect(to.body).toMatchObject({ scope: 'global', service_uuid, triggers })
    const other = await request('PATCH', `/webhooks/${id}`, { payload: { style: 'native' } })
    expect(other.body.errors).toMatchObject([{ field: 'payload' }])
    const nowhere = await request('PATCH', `/webhooks/${id}`, { service_uuid: null })
    expect(nowhere.body.errors).toMatchObject([{ field: 'service_uuid' }])
    const native = { scope: 'service', payload: { style: 'native' } }
    const back = await request('PATCH', `/webhooks/${id}`, native)
    expect(back.body).toMatchObject({ scope: 'service', service_uuid, payload: native.payload })
  })

  test.each([
    ['service without a PBX', { scope: 'service' }, ['service_uuid']],
    [
      'global without all that it needs',
      { scope: 'global' },
      ['service_uuid', 'payload', 'authentication'],
    ],
    ['call_flow, which the document makes', { scope: 'call_flow' }, ['scope']],
    ['none', { scope: null }, ['scope']],
  ])('%s is refused', async (_, change, fields) => {
    const { id } = await createWebhook({})
    const { status, body } = await request('PATCH', `/webhooks/${id}`, change)
    expect(status).toBe(422)
    expect(body.errors.map(({ field }: { field: string }) => field)).toEqual(fields)
  })

  test('account with a PBX is refused; without it in the same change it is not', async () => {
    const { id } = await createWebhook({ service_uuid: await createService() })
    const path = `/webhooks/${id}`
    const refused = await request('PATCH', path, { scope: 'account' })
    expect(refused.body.errors).toMatchObject([{ field: 'scope' }])
    const done = await request('PATCH', path, { scope: 'account', service_uuid: null })
    expect(done.body).toMatchObject({ scope: 'account', service_uuid: null })
  })

  test('of a Webhook object is refused', async () => {
    const uuid = await createService()
    await put(uuid, 'https://crm.example/vip')
    const { body } = await request('GET', `/webhooks?service_uuid=${uuid}`)
    const refused = await request('PATCH', `/webhooks/${body.items[0].id}`, { scope: 'service' })
    expect(refused.body.errors).toMatchObject([{ field: 'scope' }])
  })
})

describe('events of a PBX', () => {
  let uuid: string
  beforeEach(async () => {
    uuid = await createService()
  })
  let calls = 0
  /** A call comes in; what `explain` says of it, by webhook. */
  async function callComesIn(): Promise<ReadonlyMap<string, Verdict>> {
    calls += 1
    const tenant = { account: server.anna.account, serviceUuid: uuid }
    const event: Event = callEvent(tenant, `scopes ${calls}`)
    return await happens(event)
  }
  async function happens(event: Event): Promise<ReadonlyMap<string, Verdict>> {
    const tenant = { account: server.anna.account, serviceUuid: uuid }
    await acceptEvents(server.store, acceptanceOf(tenant, [event], { now: Date.now() }))
    const { body } = await request('GET', `/events/${event.id}/explain?limit=100`)
    return new Map(body.items.map((one: Verdict) => [one.webhook_id, one]))
  }
  /** The caller passes the Webhook object. */
  async function passes(): Promise<ReadonlyMap<string, Verdict>> {
    calls += 1
    const tenant = { account: server.anna.account, serviceUuid: uuid }
    const at = callEvent(tenant, `scopes ${calls}`) as EventOf<'webhook_component_event'>
    const { id, account, service, call } = at
    const sample = eventSamples.webhook_component_event as EventOf<'webhook_component_event'>
    const component = { ...sample.component, name: 'vip' }
    return await happens({ ...sample, id, account, service, call, component })
  }
  const turn = async (applications_enabled: boolean) =>
    expect((await request('PATCH', `/services/${uuid}`, { applications_enabled })).status).toBe(200)

  test('several global webhooks of one PBX each get their own triggers', async () => {
    await turn(true)
    const both = ['user.inbound.ringing', 'webhook_component_event']
    const one = await createWebhook(globalOf(uuid, { triggers: both, name: 'one' }))
    const two = await createWebhook(globalOf(uuid, { triggers: [both[1]], name: 'two' }))
    const three = await createWebhook(globalOf(uuid, { triggers: [both[0]], name: 'three' }))
    const verdicts = await passes()
    expect(verdicts.get(one.id)?.delivery).not.toBeNull()
    expect(verdicts.get(two.id)?.delivery).not.toBeNull()
    expect(verdicts.get(three.id)).toMatchObject({ delivery: null, code: 'trigger' })
  })

  test('the Applications switch is off by default and stops service, global and call_flow webhooks alike', async () => {
    await put(uuid, 'https://crm.example/vip')
    const triggers = ['webhook_component_event']
    const made = [
      await createWebhook({ triggers }),
      await createWebhook({ triggers, service_uuid: uuid }),
      await createWebhook(globalOf(uuid)),
      (await request('GET', `/webhooks?scope=call_flow&service_uuid=${uuid}`)).body.items[0],
    ] as readonly Webhook[]
    const off = await passes()
    for (const { id, scope } of made) {
      expect(off.get(id), scope).toMatchObject({ delivery: null, code: 'applications_off' })
    }
    await turn(true)
    const on = await passes()
    for (const { id, scope } of made) expect(on.get(id)?.delivery, scope).not.toBeNull()
    await turn(false)
    const again = await passes()
    for (const { id } of made) expect(again.get(id)?.code).toBe('applications_off')
    // Nothing is held: what had become a delivery goes out, what happens meanwhile never becomes one.
    await turn(true)
    for (const { id, scope } of made) {
      const { body } = await request('GET', `/deliveries?webhook_id=${id}&service_uuid=${uuid}`)
      expect(body.items, scope).toHaveLength(1)
      expect(body.items[0].state).not.toBe('held')
    }
    const replayed = await request('POST', `/webhooks/${made[2]?.id}/replay-missing`, {
      since: '2020-01-01T00:00:00.000Z',
    })
    expect(replayed.body).toMatchObject({ count: 2 })
  })

  test('the switch stops what happens to users for a webhook of the PBX, not for one of the account', async () => {
    const triggers = ['user.created']
    const ofPbx = await createWebhook({ triggers, service_uuid: uuid })
    const ofAccount = await createWebhook({ triggers })
    const userComes = async (id: string) => {
      const sample = eventSamples['user.created']
      const service = { ...sample.service, uuid }
      return await happens({ ...sample, id, account: server.anna.account, service })
    }
    const off = await userComes('evt_useroff')
    expect(off.get(ofPbx.id)).toMatchObject({ delivery: null, code: 'applications_off' })
    expect(off.get(ofAccount.id)?.delivery).not.toBeNull()
    await turn(true)
    expect((await userComes('evt_useron')).get(ofPbx.id)?.delivery).not.toBeNull()
  })

  test('of one that was deleted: the switch is not blamed', async () => {
    await turn(true)
    const { id } = await createWebhook({ triggers: ['call.ended'] })
    calls += 1
    const tenant = { account: server.anna.account, serviceUuid: uuid }
    const event = callEvent(tenant, `scopes ${calls}`)
    await acceptEvents(server.store, acceptanceOf(tenant, [event], { now: Date.now() }))
    expect((await request('DELETE', `/services/${uuid}`)).status).toBe(204)
    await request('PATCH', `/webhooks/${id}`, { triggers: [event.type] })
    const { body } = await request('GET', `/events/${event.id}/explain?limit=100`)
    const verdict = body.items.find((one: Verdict) => one.webhook_id === id)
    expect(verdict).toMatchObject({ code: 'service_gone' })
  })

  test('another PBX of the account is not asked, its switch says nothing', async () => {
    const other = await createService({ applications_enabled: true })
    const webhook = await createWebhook({
      service_uuid: other,
      triggers: ['call.inbound.received'],
    })
    const all = await createWebhook({ triggers: ['call.inbound.received'] })
    const verdicts = await callComesIn()
    expect(verdicts.get(webhook.id)?.code).toBe('other_service')
    expect(verdicts.get(all.id)?.code).toBe('applications_off')
  })
})
