/** Of whom the Task of a call is, by what Salesforce finds of its number. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SalesforceServer, startSalesforce } from '#test/support/salesforce-server.ts'
import {
  annaId,
  bertId,
  callFrom,
  connectedTo,
  type EndedCall,
  ended,
  person,
} from './connected-salesforce.ts'

let salesforce: SalesforceServer
beforeEach(async () => {
  salesforce = await startSalesforce()
})
afterEach(async () => await salesforce[Symbol.asyncDispose]())

const connected = async (connector: object = {}) => await connectedTo(salesforce, connector)
const taskOf = (event: EndedCall) => salesforce.tasks.get(event.call.uuid)

test.each([
  '+61288881234',
  '61288881234',
  '0288881234',
  '(02) 8888 1234',
  '02-8888-1234',
  '+61 2 8888 1234',
  '02.88.88.12.34',
  '(02)88881234',
  '0061288881234',
  '0288881234 / 0491570156',
])('finds %s', async (Phone) => {
  salesforce.people.push(
    person('Contact', annaId, { Phone }),
    person('Contact', bertId, { Phone: '+61388881235' }),
  )
  await using one = await connected()
  await one.deliver(ended)
  expect(taskOf(ended)).toMatchObject({ WhoId: annaId })
})

test.each(['+61388881234', '+6128888123', '+1 288881234', '18881234'])(
  'does not take %s for it',
  async (Phone) => {
    salesforce.people.push(person('Contact', annaId, { Phone }))
    await using one = await connected()
    await one.deliver(ended)
    expect(taskOf(ended)).toMatchObject({ WhoId: null })
  },
)

test('a Contact before a Lead, a Lead before nobody, never a converted Lead', async () => {
  const lead = person('Lead', '00Q000000000001AAA', { Phone: '0288881234' })
  salesforce.people.push(
    person('Lead', '00Q000000000002AAA', { Phone: '0288881234', IsConverted: true }),
    lead,
  )
  await using one = await connected()
  await one.deliver(ended)
  expect(taskOf(ended)).toMatchObject({ WhoId: lead.Id })
  salesforce.people.push(person('Contact', annaId, { MobilePhone: '02.88.88.12.34' }))
  await one.deliver({ ...ended, id: 'evt_again' })
  expect(taskOf(ended)).toMatchObject({ WhoId: annaId })
})

test('outbound it is the number that was called; internal calls and withheld numbers name nobody', async () => {
  salesforce.people.push(person('Contact', annaId, { Phone: '0491 570 156' }))
  await using one = await connected()
  const outbound: EndedCall = {
    ...ended,
    id: 'evt_out',
    call: {
      ...ended.call,
      uuid: '5f0c1c8e-7f39-5d0a-8b53-64a1d2c30099',
      direction: 'outbound',
      destination: { number: '+61491570156', raw: '0491570156', name: null },
    },
  }
  await one.deliver(outbound)
  expect(taskOf(outbound)).toMatchObject({
    WhoId: annaId,
    CallType: 'Outbound',
    Subject: 'Outbound call to +61491570156',
  })
  const withheld = { ...callFrom(null, null), id: 'evt_withheld' }
  await one.deliver(withheld)
  expect(taskOf(withheld)).toMatchObject({ WhoId: null })
  expect(taskOf(withheld)).toMatchObject({ Subject: 'Inbound call from a withheld number' })
})

test('a number that the PBX could not read is told by its digits', async () => {
  salesforce.people.push(person('Contact', annaId, { Phone: '(02) 8888-1234' }))
  await using one = await connected()
  const event = callFrom(null, '0288881234')
  await one.deliver(event)
  expect(taskOf(event)).toMatchObject({ WhoId: annaId })
})

describe('several', () => {
  const twins = [
    person('Contact', annaId, { Phone: '0288881234', OwnerId: '005000000000201AAA' }),
    person('Contact', bertId, {
      Phone: '0288881234',
      LastModifiedDate: '2026-11-20T10:00:00.000+0000',
    }),
  ]
  const owners = { '201': '005000000000201AAA' }

  test.each([
    ['none', null],
    ['most_recent', bertId],
    ['owner', annaId],
  ])('%s', async (several, who) => {
    salesforce.people.push(...twins)
    await using one = await connected({ several, owners })
    await one.deliver(ended)
    expect(taskOf(ended)?.WhoId).toBe(who)
    if (who === null) {
      expect(taskOf(ended)?.Description).toContain(
        `The number belongs to 2 records: Contact ${annaId}, Contact ${bertId}`,
      )
    }
  })

  test('owner: not guessed where none or more than one is', async () => {
    salesforce.people.push(...twins.map((one) => ({ ...one, OwnerId: owners['201'] })))
    await using one = await connected({ several: 'owner', owners })
    await one.deliver(ended)
    expect(taskOf(ended)).toMatchObject({ WhoId: null })
  })
})

describe('never guessed', () => {
  test('who holds only the local part is named as possible, beside whoever has the whole number', async () => {
    salesforce.people.push(person('Contact', annaId, { Phone: '555-0123' }))
    await using one = await connected()
    for (const number of ['+12125550123', '+13105550123']) {
      const event = { ...callFrom(number, null), id: `evt_${number}` }
      await one.deliver(event)
      expect(taskOf(event)).toMatchObject({
        WhoId: null,
        Description: expect.stringContaining(
          `Possible, as only the end of the number is the same: Contact ${annaId}`,
        ),
      })
    }
    const lead = person('Lead', '00Q000000000001AAA', { Phone: '(310) 555-0123' })
    salesforce.people.push(lead)
    const event = { ...callFrom('+13105550123', null), id: 'evt_again' }
    await one.deliver(event)
    expect(taskOf(event)).toMatchObject({
      WhoId: lead.Id,
      Description: expect.stringContaining(`Contact ${annaId}`),
    })
  })

  test.each([
    ['00000000', '0288881234'],
    ['00000001', '0288881231'],
    ['131114', '98131114'],
  ])('of %s nobody is looked up', async (raw, Phone) => {
    salesforce.people.push(person('Contact', annaId, { Phone }))
    await using one = await connected()
    const event = callFrom(raw === '131114' ? '+61131114' : null, raw)
    await one.deliver(event)
    expect(taskOf(event)).toMatchObject({ WhoId: null })
    expect(salesforce.queries).toEqual([])
  })

  test('a number that the PBX could not read is not the end of a longer one', async () => {
    salesforce.people.push(person('Contact', annaId, { Phone: '+81 90 3123 45678' }))
    await using one = await connected()
    const event = callFrom(null, '0312345678')
    await one.deliver(event)
    expect(taskOf(event)).toMatchObject({ WhoId: null })
  })

  test('a second owner whom only the digits find is not overlooked', async () => {
    salesforce.people.push(
      person('Contact', annaId, { Phone: '+61288881234' }),
      person('Contact', bertId, { Phone: '02.88.88.12.34' }),
    )
    await using one = await connected()
    const attempt = await one.deliver(ended)
    expect(taskOf(ended)).toMatchObject({
      WhoId: null,
      Description: expect.stringContaining(
        `The number belongs to 2 records: Contact ${annaId}, Contact ${bertId}`,
      ),
    })
    expect(attempt.earlier_requests.map(({ purpose }) => purpose)).toEqual([
      'Access token',
      'Search for the number',
      'Query for a Contact by digits',
    ])
  })

  test.each(['none', 'most_recent'])(
    'where there may be more than were read nobody is named: %s',
    async (several) => {
      salesforce.people.push(
        person('Contact', annaId, { Phone: '+61288881234' }),
        ...Array.from({ length: 50 }, (_, i) =>
          person('Contact', `0031000000000${10 + i}AAA`, { Phone: `8888123${i % 10}4` }),
        ),
      )
      await using one = await connected({ several })
      await one.deliver(ended)
      expect(taskOf(ended)).toMatchObject({ WhoId: null })
      expect(String(taskOf(ended)?.Description).split('\n').slice(-2)).toEqual([
        'Not decided whose number it is: 50 or more of the Contacts have digits like it, and perhaps not all were read.',
        `Among those that were read it belongs to Contact ${annaId}`,
      ])
    },
  )

  test('a Task that is sent again does not keep whom it named before', async () => {
    salesforce.people.push(person('Contact', annaId, { Phone: '0288881234' }))
    await using one = await connected()
    await one.deliver(ended)
    expect(taskOf(ended)).toMatchObject({ WhoId: annaId })
    salesforce.people.push(person('Contact', bertId, { Phone: '0288881234' }))
    await one.deliver({ ...ended, id: 'evt_again' })
    expect(taskOf(ended)).toMatchObject({ WhoId: null })
  })
})
