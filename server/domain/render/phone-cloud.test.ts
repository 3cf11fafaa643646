/** The wire format of the Phone Cloud webhooks, byte for byte, from the samples. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  type Event,
  type EventType,
  eventCatalogue,
  eventTypes,
} from '#contracts/events/catalogue.ts'
import { Timestamp } from '#contracts/events/facts.ts'
import { phoneCloudFormats } from '#contracts/events/phone-cloud.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { plainRequest } from '#contracts/webhook/request.ts'
import { foldRows } from '#server/domain/calls/fold.ts'
import type { PbxRow } from '#server/domain/calls/rows.ts'
import { noCalls } from '#server/domain/calls/state.ts'
import { describe as describeEvent } from '#server/domain/events/describe.ts'
import { directoryOf } from '#server/domain/events/directory.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { prepareRequests } from '#server/domain/render/render.ts'
import { readTraceRows } from '#test/traces/read-trace.ts'

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
  'queue.call.summary': `{"type":"queue_call",${anna},"caller_name":"Anna",${alice},${annaStart},${annaConnected},"call_duration":289,"conversation_duration":126,"queue_name":"sales"}`,
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

/** What a variable of each type is in JSON; null is told apart. */
const shapes: Readonly<Record<string, z.ZodType>> = {
  text: z.string(),
  time: Timestamp,
  integer: z.int(),
  list: z.array(z.string()),
  null: z.never(),
}

/** The same event with null wherever its type allows it. */
function sparsest(schema: z.ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodNullable) return null
  if (!(schema instanceof z.ZodObject)) return value
  return Object.fromEntries(
    Object.entries(schema.shape).map(([key, inner]) => [
      key,
      sparsest(inner as z.ZodType, (value as Record<string, unknown>)[key]),
    ]),
  )
}

test('the format is told of those types and no others', () => {
  expect([...phoneCloudFormats.keys()].toSorted()).toEqual(types.toSorted())
})

test.each(types)('the variables of %s are told as they are sent', (type) => {
  const { type: sentType, fields } = phoneCloudFormats.get(type) ?? { type: '', fields: [] }
  const sample = JSON.parse(render(nativeBody(eventSamples[type])).body)
  expect(Object.keys(sample)).toEqual(fields.map(({ name }) => name))
  expect(sample.type).toBe(sentType)
  const sparse = sparsest(eventCatalogue[type].schema, eventSamples[type]) as Event
  const least = JSON.parse(render(nativeBody(sparse)).body)
  for (const { name, type: told, nullable, description } of fields) {
    const sent = [sample[name], least[name]].filter((value) => value !== null)
    for (const value of sent) expect(shapes[told]?.safeParse(value).error, name).toBeUndefined()
    expect(least[name] === null, name).toBe(nullable)
    expect(description, name).toMatch(/\w\.$/)
  }
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

/** The bodies of one type for a recorded call, of which `seen` may leave out some. */
function bodiesOf(type: string, trace: string, seen: (row: PbxRow) => boolean = () => true) {
  const { account, service } = eventSamples['call.ended']
  const directory = directoryOf(account, { ...service, country: null }, null)
  return foldRows(noCalls, readTraceRows(trace).cel.filter(seen))
    .facts.map((fact) => JSON.parse(render(nativeBody(describeEvent(fact, directory, false))).body))
    .filter((body) => body.type === type)
}

const transferredToQueue = '16d-blind-transfer-to-queue'

test('a call transferred into a ring group was connected there when its member answered', () => {
  expect(bodiesOf('ring_group_call', '16c-blind-transfer-to-ringgroup')).toEqual([
    {
      type: 'ring_group_call',
      unique_call_id: expect.any(String),
      caller_id: '0301234567',
      caller_name: 'Anna Extern',
      user_name: 'Bob',
      user_number: '202',
      dest_number: '1007',
      call_start_at: '2026-11-22T16:16:42.541Z',
      connected_at: '2026-11-22T16:16:47.064Z',
      call_duration: 9,
      conversation_duration: 4,
      ring_group_name: '600',
    },
  ])
})

test('a call transferred into a queue was connected there when its agent answered', () => {
  expect(bodiesOf('queue_call', transferredToQueue)).toEqual([
    expect.objectContaining({
      user_number: '202',
      call_start_at: '2026-11-22T16:16:53.121Z',
      connected_at: '2026-11-22T16:17:02.145Z',
      call_duration: 14,
      conversation_duration: 5,
    }),
  ])
})

test('a call transferred into a queue and abandoned there was not connected there', () => {
  const bob = 'pbx1-1795364221.17'
  const bobCalledAt = Date.parse('2026-11-22T16:17:01.138Z')
  const annaHungUpAt = Date.parse('2026-11-22T16:17:07.138Z')
  const waitsInVain = (row: PbxRow) =>
    row.kind === 'cel' && row.uniqueId !== bob && (row.at < bobCalledAt || row.at > annaHungUpAt)
  expect(bodiesOf('queue_call', transferredToQueue, waitsInVain)).toEqual([
    expect.objectContaining({
      user_name: null,
      user_number: null,
      connected_at: null,
      call_duration: 14,
      conversation_duration: 0,
    }),
  ])
})

test('an agent who transfers the call has talked until then', () => {
  expect(bodiesOf('queue_call', '28i-queue-blind-transfer-by-agent')).toEqual([
    expect.objectContaining({
      user_number: '201',
      connected_at: '2026-11-22T16:22:26.261Z',
      call_duration: 9,
      conversation_duration: 2,
    }),
  ])
})
