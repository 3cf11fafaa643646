import { CloudEvent, HTTP } from 'cloudevents'
import { expect, test } from 'vitest'
import { eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'

const { render } = prepareRequests(
  'https://crm.example/hook',
  { ...plainRequest, payload: { style: 'cloudevents' } },
  '1.2.3',
)

test.each(eventTypes)('%s is a CloudEvent by the official library', (type) => {
  const sample = eventSamples[type]
  const { headers, body } = render(nativeBody(sample))
  const event = HTTP.toEvent<unknown>({ headers: { ...headers }, body })
  if (!(event instanceof CloudEvent)) throw new Error('it is none, or several')
  expect(event.validate()).toBe(true)
  expect(event).toMatchObject({
    specversion: '1.0',
    id: sample.id,
    type: `offhook.${type}`,
    time: sample.occurred_at,
    datacontenttype: 'application/json',
    data: sample,
  })
  expect(event.source).toMatch(/^urn:offhook:(service|account):/)
  expect(event.subject).toBe('call' in sample ? sample.call.uuid : undefined)
})
