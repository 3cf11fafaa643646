import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { callBegan, callUuid, eventId } from '#server/domain/events/ids.ts'

const owner = '3e0f1d52-6a55-4b1c-9d6e-0f1a7c2b9e10'

test('the id of an event is a ULID: the time as others write it, then the hash', () => {
  // The ULID specification's own example begins at this millisecond.
  const id = eventId(1_469_918_176_385, owner, 'pbx1-1469918176.0 1')
  expect(id).toMatch(/^evt_01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/)
  expect(eventId(1_469_918_176_385, owner, 'pbx1-1469918176.0 1')).toBe(id)
})

test('ids sort as what they are about began', () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })
  fc.assert(
    fc.property(time, time, fc.string(), fc.string(), (one, other, a, b) => {
      fc.pre(one < other)
      expect(eventId(one, owner, a) < eventId(other, owner, b)).toBe(true)
    }),
  )
})

test.each([
  ['pbx1-1795359620.0', 1_795_359_620_000],
  ['1795359620.12', 1_795_359_620_000],
  ['head-office-2-1795359620.7', 1_795_359_620_000],
  ['a.0', 0],
  ['', 0],
  ['pbx-99999999999999.1', 0],
])('a call with the id %j began at %d', (id, began) => {
  expect(callBegan(id)).toBe(began)
})

test('the UUID of a call has its second in front, and is one that schemas take', () => {
  const uuid = callUuid(owner, 'pbx1-1795359620.0')
  expect(z.uuid().safeParse(uuid).success).toBe(true)
  const [high = '', low = '', rest = ''] = uuid.split('-')
  expect(Number.parseInt(high + low, 16)).toBe(1_795_359_620_000)
  expect(rest[0]).toBe('8')
  expect(callUuid(owner, 'pbx1-1795359620.1')).not.toBe(uuid)
})
