import { expect, test } from 'vitest'
import { eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { nativeBody } from '#server/domain/native-body.ts'
import { renderRequest } from '#server/domain/render.ts'

const webhook = { url: 'https://crm.example/hooks?tenant=7' }

test.each(eventTypes)('%s is posted as JSON, byte for byte as it is stored', (type) => {
  const body = nativeBody(eventSamples[type])
  expect(renderRequest(body, webhook, '1.2.3')).toEqual({
    method: 'POST',
    url: 'https://crm.example/hooks?tenant=7',
    headers: { 'content-type': 'application/json', 'user-agent': 'Offhook/1.2.3' },
    body,
  })
  expect(JSON.parse(body)).toEqual(eventSamples[type])
})
