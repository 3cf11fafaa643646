import { expect, test } from 'vitest'
import { numberKeysOf, searchKeysOf } from '#server/domain/events/number-keys.ts'

const party = (number: string | null, raw: string | null) => ({ number, raw })
const sydney = party('+61298765432', '0298765432')

test('a public number has one key, however the PBX wrote it', () => {
  for (const raw of ['0298765432', '+61298765432', '61298765432', '(02) 9876-5432', null]) {
    const call = { source: party('+61298765432', raw), destination: party(null, null) }
    expect(numberKeysOf(call)).toEqual(['+61298765432'])
  }
})

test('an extension keeps its own key beside the outbound number, also where that ends with it', () => {
  const call = { source: party('+61299990201', '201'), destination: sydney }
  expect(numberKeysOf(call)).toEqual(['+61299990201', '201', '+61298765432'])
})

test('a number that cannot be placed in a country is found as it was dialled', () => {
  const call = { source: party(null, '9876 5432'), destination: party(null, '*98') }
  expect(numberKeysOf(call)).toEqual(['98765432', '*98'])
})

test('a withheld number has no key, a call to oneself has one', () => {
  expect(numberKeysOf({ source: party(null, 'anonymous'), destination: sydney })).toEqual([
    '+61298765432',
  ])
  expect(numberKeysOf({ source: sydney, destination: sydney })).toEqual(['+61298765432'])
})

test.each([
  '02 9876 5432',
  '(02) 9876-5432',
  '+61 2 9876 5432',
  '61298765432',
  '0061 2 9876 5432',
  'tel:+61-2-9876-5432',
])('%s finds the number of a service in Australia', (typed) => {
  expect(searchKeysOf(typed, ['AU'])).toContain('+61298765432')
})

test('a national number is read for every country of the account', () => {
  const keys = searchKeysOf('030 901820', ['AU', 'DE'])
  expect(keys).toContain('+4930901820')
  expect(keys).toContain('030901820')
})

test('an extension is looked for as it is, and a text without digits is none', () => {
  expect(searchKeysOf('201', ['AU'])).toEqual(['201'])
  expect(searchKeysOf('anonymous', ['AU'])).toEqual([])
})
