/** What callers choose goes through every payload as the value that it is, and as nothing else. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import type { Payload } from '#contracts/webhook/payload.ts'
import { plainRequest, type RequestSettings } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'

/** What breaks out of JSON, queries, forms, headers, or becomes a prototype somewhere. */
const hostile = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      '"},"type":"voicemail","x":{"',
      '&type=voicemail&unique_call_id=1',
      'a\r\nSet-Cookie: b=1\r\n\r\n',
      '__proto__',
      '{{ call.uuid }}{% raw %}',
      '\u2028\u2029\u0000\ufeff',
      '+%2B%00',
      '\\',
    ),
  )
  .map((text) => text.toWellFormed())

const urlOf = 'https://crm.example/hook'
const requestOf = (event: object, settings: Partial<RequestSettings>) =>
  prepareRequests(urlOf, { ...plainRequest, ...settings }, '1').render(nativeBody(event as never))

/** The sample with these texts as the caller's name and number, and as the name of the queue. */
function calledBy(type: (typeof eventTypes)[number], name: string, raw: string, queue: string) {
  const sample = eventSamples[type] as Record<string, unknown>
  const call = sample.call as { source: object } | undefined
  return {
    ...sample,
    ...(call !== undefined && { call: { ...call, source: { ...call.source, name, raw } } }),
    ...(sample.queue !== null &&
      'queue' in sample && { queue: { ...(sample.queue as object), name: queue } }),
  }
}

const phoneCloud: Payload = { style: 'phone-cloud' }
const ofPhoneCloud = eventTypes.filter((type) => eventCatalogue[type].phoneCloudType !== null)

describe.each(ofPhoneCloud)('phone-cloud, %s', (type) => {
  const usual = requestOf(eventSamples[type], { payload: phoneCloud }).body
  const keys = Object.keys(JSON.parse(usual))

  test('has the same keys in the same order, whatever the caller is called', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (name, raw, queue) => {
        const event = calledBy(type, name, raw, queue)
        const sent = JSON.parse(requestOf(event, { payload: phoneCloud }).body)
        expect(Object.keys(sent)).toEqual(keys)
        expect(sent.type).toBe(eventCatalogue[type].phoneCloudType)
        if ('caller_id' in sent && type.startsWith('user.inbound')) expect(sent.caller_id).toBe(raw)
        if ('caller_name' in sent) expect(sent.caller_name).toBe(name)
      }),
      { numRuns: 50 },
    )
  })

  test('as a query and as a form too: no value becomes a parameter', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (name, raw, queue) => {
        const event = calledBy(type, name, raw, queue)
        const query = requestOf(event, { method: 'GET', format: 'query', payload: phoneCloud })
        const form = requestOf(event, { format: 'form', payload: phoneCloud })
        for (const text of [new URL(query.url).search.slice(1), form.body]) {
          const sent = new URLSearchParams(text)
          expect([...sent.keys()]).toEqual(keys)
          if (sent.has('caller_name')) expect(sent.get('caller_name')).toBe(name)
        }
      }),
      { numRuns: 50 },
    )
  })
})

test.each(eventTypes)(
  'cloudevents, %s: the native event, whole, under attributes that it cannot change',
  (type) => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (name, raw, queue) => {
        const event = calledBy(type, name, raw, queue)
        const sent = JSON.parse(requestOf(event, { payload: { style: 'cloudevents' } }).body)
        expect(sent).toMatchObject({
          specversion: '1.0',
          type: `offhook.${type}`,
          id: eventSamples[type].id,
        })
        expect(sent.data).toEqual(event)
      }),
      { numRuns: 30 },
    )
  },
)

test('an own name for a hang-up cause is a value too', () => {
  fc.assert(
    fc.property(hostile, (own) => {
      const event = eventSamples['call.ended']
      const settings = { hangup_causes: { Answered: own }, payload: { style: 'native' } as const }
      const sent = JSON.parse(requestOf(event, settings).body)
      expect(sent.call.hangup).toEqual({ ...event.call.hangup, cause: own })
      expect({ ...sent, call: { ...sent.call, hangup: null } }).toEqual({
        ...event,
        call: { ...event.call, hangup: null },
      })
    }),
  )
})
