/** Filters of a webhook by the API: what is taken, refused, hinted at, and explained. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { noFilters } from '#contracts/webhook/filters.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { type Api, startApi } from './start-api.ts'

let server: Api
let service: string
beforeAll(async () => {
  server = await startApi()
  const { body } = await server.anna.request('POST', '/api/v1/services', {
    body: {
      name: 'pbx1',
      friendly_name: 'Head office',
      applications_enabled: true,
      connection: { kind: 'asterisk_managed' },
    },
  })
  service = body.uuid
})
afterAll(async () => await server[Symbol.asyncDispose]())

const draft = { name: 'CRM', url: 'https://crm.example/hook', triggers: ['call.ended'] }
const create = async (more: object) =>
  await server.anna.request('POST', '/api/v1/webhooks', { body: { ...draft, ...more } })

test('nothing is filtered by default, and pick-ups are not counted', async () => {
  expect((await create({})).body).toMatchObject({ filters: noFilters, count_pickups: false })
})

test('every filter is taken, values once each; a change replaces them all', async () => {
  const filters = {
    call_types: ['inbound', 'inbound'],
    users: ['8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2010'],
    extensions: ['201'],
    numbers: ['+61 2 8888 1234'],
    queues: ['sales', 'support'],
    ring_groups: ['front-desk'],
    ivrs: ['main'],
    ivr_options: ['3'],
    statuses: ['answered', 'voicemail'],
    min_duration: 30,
  }
  const { body, status } = await create({ filters, count_pickups: true })
  expect(status).toBe(201)
  expect(body).toMatchObject({ filters: { ...filters, call_types: ['inbound'] } })
  const address = `/api/v1/webhooks/${body.id}`
  expect((await server.anna.request('GET', address)).body.filters).toEqual(body.filters)
  const renamed = await server.anna.request('PATCH', address, { body: { name: 'New' } })
  expect(renamed.body).toMatchObject({ filters: body.filters, count_pickups: true })
  const changed = await server.anna.request('PATCH', address, {
    body: { filters: { queues: ['sales'] }, count_pickups: false },
  })
  expect(changed.body).toMatchObject({
    filters: { ...noFilters, queues: ['sales'] },
    count_pickups: false,
  })
})

test.each([
  [{ statuses: ['lost'] }, 'filters.statuses[0]', 'not_allowed'],
  [{ call_types: 'inbound' }, 'filters.call_types', 'wrong_type'],
  [{ users: ['201'] }, 'filters.users[0]', 'wrong_format'],
  [{ numbers: ['Anna'] }, 'filters.numbers[0]', 'invalid'],
  [{ queues: [''] }, 'filters.queues[0]', 'too_small'],
  [{ extensions: Array.from({ length: 1_001 }, String) }, 'filters.extensions', 'too_large'],
  [{ min_duration: -1 }, 'filters.min_duration', 'too_small'],
  [{ queue: ['sales'] }, 'filters.queue', 'unknown_field'],
])('%j is refused by name', async (filters, field, code) => {
  const { status, body } = await create({ filters })
  expect(status).toBe(422)
  expect(body.errors).toEqual([expect.objectContaining({ field, code })])
})

test('the preview says what the filters stop, and hints at what the PBX has not', async () => {
  await server.anna.request('PUT', `/api/v1/services/${service}/pbx`, {
    body: {
      name: 'pbx1',
      users: [
        {
          uuid: '8c6f0a4e-52f1-5c0b-9a57-2f6d1f0c2010',
          extension_number: '201',
          name: 'A',
          secret: 'correct-horse-1234',
        },
      ],
      queues: [{ name: 'sales', members: ['201'] }],
    },
  })
  const preview = async (trigger: string, filters: object) =>
    (
      await server.anna.request('POST', '/api/v1/webhooks/preview', {
        body: {
          trigger,
          webhook: { ...draft, triggers: [trigger], service_uuid: service, filters },
        },
      })
    ).body
  expect(await preview('call.ended', { queues: ['sales'] })).toMatchObject({
    fires: true,
    hints: [],
  })
  expect(await preview('call.ended', { queues: ['salse'] })).toMatchObject({
    fires: false,
    why_not: 'The filter on queues wants salse; the call was in sales.',
    problems: [],
    hints: [
      {
        field: 'filters.queues[0]',
        message: 'the PBX has no queue "salse": did you mean "sales"?',
      },
    ],
  })
  expect(await preview('call.inbound.received', { statuses: ['missed'] })).toMatchObject({
    fires: true,
    hints: [{ field: 'filters.statuses' }],
  })
  expect(await preview('call.inbound.received', { extensions: ['201'] })).toMatchObject({
    fires: false,
    hints: [
      {
        field: 'filters.extensions',
        message: expect.stringMatching(
          /^no call\.inbound\.received passes: .*user\.inbound\.ringing/,
        ),
      },
    ],
  })
})

test('"why did this not fire?" names the filter and both values', async () => {
  const { body: webhook } = await create({ filters: { statuses: ['missed', 'busy'] } })
  const event = {
    ...eventSamples['call.ended'],
    id: 'evt_filtered',
    account: server.anna.account,
    service: { ...eventSamples['call.ended'].service, uuid: service },
  }
  const { account } = server.anna
  await acceptEvents(server.store, {
    accountId: account.id,
    serviceUuid: service,
    events: [event],
    openCalls: null,
    cursor: null,
    now: Date.now(),
  })
  const { body } = await server.anna.request('GET', '/api/v1/events/evt_filtered/explain?limit=100')
  const verdict = body.items.find((v: { webhook_id: string }) => v.webhook_id === webhook.id)
  expect(verdict).toMatchObject({
    code: 'filtered',
    says: 'A filter of the webhook stopped it. The filter on statuses wants missed, busy; the call was answered.',
    delivery: null,
  })
})
