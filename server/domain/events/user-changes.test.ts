import { expect, test } from 'vitest'
import { eventCatalogue } from '#contracts/events/catalogue.ts'
import { PbxDocument, type PbxDocumentInput } from '#contracts/pbx.ts'
import { userEvents } from '#server/domain/events/user-changes.ts'

const account = { id: 'acc_1', name: 'Acme' }
const service = {
  uuid: '5f0c6a3e-4f1d-4c57-9a52-0d5c2c1a7b11',
  name: 'pbx1',
  friendly_name: 'Head office',
  type: 'hosted_pbx',
} as const
const uuidOf = (last: number) => `0b8f5a1c-54d5-4a86-8f2a-0a3f6f1f8a0${last}`
const alice = {
  uuid: uuidOf(1),
  extension_number: '201',
  name: 'Alice',
  secret: 'phone-secret-201',
  outbound_phone_number: '+61290001201',
}
const ben = { uuid: uuidOf(2), extension_number: '202', name: 'Ben', secret: 'phone-secret-202' }
const cleo = { uuid: uuidOf(3), extension_number: '203', name: 'Cleo', secret: 'phone-secret-203' }

type Users = NonNullable<PbxDocumentInput['users']>
const documentOf = (users: Users) => PbxDocument.parse({ name: 'pbx', users })

function eventsOf(before: Users | null, after: Users | null, version = 2) {
  const change = {
    before: before && documentOf(before),
    after: after && documentOf(after),
    ...{ account, service, version, at: 1_000 },
  }
  const events = [...userEvents(change)]
  for (const event of events) eventCatalogue[event.type].schema.parse(event)
  return events
}

const told = (events: ReturnType<typeof eventsOf>) =>
  events.map(({ type, user }) => `${type} ${user.extension_number}`)

test('the first document tells of every user that it has', () => {
  const [event, ...rest] = eventsOf(null, [alice])
  expect(rest).toEqual([])
  expect(event).toEqual({
    type: 'user.created',
    id: expect.stringMatching(/^evt_[0-9A-Z]{26}$/),
    occurred_at: '1970-01-01T00:00:01.000Z',
    sequence: null,
    backfilled: false,
    account,
    service,
    user: {
      uuid: alice.uuid,
      extension_number: '201',
      name: 'Alice',
      outbound_phone_number: '+61290001201',
      has_voicemail: false,
      enabled_calls: expect.arrayContaining(['Local', 'Premium']),
    },
  })
})

test('who stays the same is not told, wherever the document has them', () => {
  expect(eventsOf([alice, ben], [ben, alice])).toEqual([])
  const calls = (enabled_calls: ('Local' | 'Mobile')[]) => [{ ...alice, enabled_calls }]
  expect(eventsOf(calls(['Local', 'Mobile']), calls(['Mobile', 'Local']))).toEqual([])
})

test('the names of what changed are told, of secrets no more than that', () => {
  const after = {
    ...alice,
    extension_number: '301',
    secret: 'phone-secret-new',
    has_voicemail: true,
    voicemail_pin: '73519',
    contact: { host: '10.0.0.9' },
    recording: 'all',
  } as const
  const [event, ...rest] = eventsOf([alice], [after])
  expect(rest).toEqual([])
  expect(event).toMatchObject({
    type: 'user.modified',
    changed_fields: [
      'extension_number',
      'secret',
      'contact',
      'has_voicemail',
      'voicemail_pin',
      'recording',
    ],
    user: { uuid: alice.uuid, extension_number: '301', has_voicemail: true },
  })
  expect(JSON.stringify(event)).not.toMatch(/phone-secret|73519|10\.0\.0\.9/)
})

test('an extension is given up before another user has it', () => {
  const heir = { ...cleo, extension_number: '201' }
  const events = eventsOf([alice, ben], [heir, { ...ben, name: 'Benjamin' }])
  expect(told(events)).toEqual(['user.deleted 201', 'user.modified 202', 'user.created 201'])
})

test('without a document any more all users are deleted, as they last were', () => {
  expect(told(eventsOf([alice, ben], null))).toEqual(['user.deleted 201', 'user.deleted 202'])
})

test('the same change has the same ids, another change of the same kind has others', () => {
  const renamed = [{ ...alice, name: 'Alicia' }]
  const idsOf = (version: number) => eventsOf([alice], renamed, version).map(({ id }) => id)
  expect(idsOf(2)).toEqual(idsOf(2))
  expect(idsOf(2)).not.toEqual(idsOf(3))
  const many = eventsOf([alice], [ben, cleo]).map(({ id }) => id)
  expect(new Set(many).size).toBe(3)
})
