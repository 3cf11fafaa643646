import { expect, test } from 'vitest'
import { type Event, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'

test.each(eventTypes)('%s: nothing is lost, and it is the event', (type) => {
  const body = nativeBody(eventSamples[type])
  expect(JSON.parse(body)).toEqual(eventSamples[type])
  expect(eventCatalogue[type].schema.safeParse(JSON.parse(body)).success).toBe(true)
})

test('the same event gives the same bytes, in whatever order it was put together', () => {
  const event = eventSamples['call.ended']
  const shuffled = Object.fromEntries(Object.entries(event).reverse()) as unknown as Event
  expect(nativeBody(shuffled)).toBe(nativeBody(event))
  expect(Object.keys(JSON.parse(nativeBody(shuffled)))).toEqual([
    'id',
    'type',
    'occurred_at',
    'sequence',
    'backfilled',
    'account',
    'service',
    'call',
    'user',
    'queue',
    'ring_group',
    'ivr',
    'legs',
  ])
})
