/** The wire format of the Phone Cloud webhooks, byte for byte, from the samples. */
import { expect, test } from 'vitest'
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'

const { render } = prepareRequests(
  'https://pbx.example/hook',
  { ...plainRequest, payload: { style: 'phone-cloud' } },
  '1.2.3',
)

const anna = '"unique_call_id":"5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001","caller_id":"0288881234"'
const alice = '"user_name":"Alice","user_number":"201","dest_number":"1002"'
const annaStart = '"call_start_at":"2026-11-22T20:14:41.205Z"'
const annaConnected = '"connected_at":"2026-11-22T20:15:04.120Z"'
const inSales = '"queue_name":"sales","ring_group_name":null'
const toMobile = '"unique_call_id":"5f0c1c8e-7f39-5d0a-8b53-64a1d2c30004","caller_id":"202"'
const bob = '"user_name":"Bob","user_number":"202","dest_number":"0491570156"'
const mobileStart = '"call_start_at":"2026-11-22T20:52:30.660Z"'
const mail = '"emails":null,"email_subject":null,"email_message":null'

const bodies: Partial<Record<EventType, string>> = {
  'user.inbound.ringing': `{"type":"user_inbound",${anna},"caller_name":"Anna",${alice},${annaStart},${inSales}}`,
  'user.inbound.answered': `{"type":"user_inbound_answered",${anna},"caller_name":"Anna",${alice},${annaStart},${inSales},${annaConnected}}`,
  'user.inbound.completed': `{"type":"user_inbound_completed",${anna},${alice},${annaStart},${annaConnected},"call_duration":128,"conversation_duration":126,${inSales}}`,
  'user.outbound.placed': `{"type":"user_outbound",${toMobile},${bob},${mobileStart}}`,
  'user.outbound.answered': `{"type":"user_outbound_answered",${toMobile},${bob},${mobileStart},"connected_at":"2026-11-22T20:52:38.905Z"}`,
  'user.outbound.completed': `{"type":"user_outbound_completed",${toMobile},${bob},${mobileStart},"connected_at":"2026-11-22T20:52:38.905Z","call_duration":101,"conversation_duration":93}`,
  'queue.call.summary': `{"type":"queue_call",${anna},"caller_name":"Anna",${alice},${annaStart},${annaConnected},"call_duration":289,"conversation_duration":266,"queue_name":"sales"}`,
  'ring_group.call.summary':
    '{"type":"ring_group_call","unique_call_id":"5f0c1c8e-7f39-5d0a-8b53-64a1d2c30002","caller_id":null,"caller_name":null,"user_name":"Bob","user_number":"202","dest_number":"1004","call_start_at":"2026-11-22T20:31:07.400Z","connected_at":"2026-11-22T20:31:12.150Z","call_duration":93,"conversation_duration":88,"ring_group_name":"front-desk"}',
  'voicemail.left': `{"type":"voicemail","unique_call_id":"5f0c1c8e-7f39-5d0a-8b53-64a1d2c30003","caller_id":"0491570156","dest_number":"1001","recorded_at":"2026-11-22T20:41:05.520Z",${mail},"audio_file":["https://pbx.example.com/voicemail/201/msg0003.wav"]}`,
  'recording.inbound.completed': `{"type":"recording_inbound",${anna},"dest_number":"1002","recorded_at":"2026-11-22T20:15:04.120Z",${mail},"call_recording_link":"https://pbx.example.com/recordings/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001"}`,
  'recording.outbound.completed': `{"type":"recording_outbound",${toMobile},"dest_number":"0491570156","recorded_at":"2026-11-22T20:52:30.662Z",${mail},"call_recording_link":"https://pbx.example.com/recordings/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30004","user_name":"Bob","user_number":"202"}`,
  webhook_component_event: `{"type":"webhook_component_event","unique_call_id":"5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001","user_name":"Anna","user_number":"0288881234","dest_number":"1002",${annaStart},"component_name":"vip-caller"}`,
}

const types = eventTypes.filter((type) => eventCatalogue[type].phoneCloudType !== null)

test('there are the eleven triggers of the document, and the Webhook object', () => {
  expect(types).toHaveLength(12)
  expect(Object.keys(bodies).toSorted()).toEqual(types.toSorted())
})

test.each(types)('%s, byte for byte', (type) => {
  expect(render(nativeBody(eventSamples[type])).body).toBe(bodies[type])
})

test('what a call does not have is null, not text', () => {
  const sample = eventSamples['user.inbound.ringing']
  const event = {
    ...sample,
    queue: null,
    call: { ...sample.call, source: { ...sample.call.source, raw: null, name: null } },
  }
  expect(JSON.parse(render(nativeBody(event)).body)).toMatchObject({
    caller_id: null,
    caller_name: null,
    queue_name: null,
  })
})
