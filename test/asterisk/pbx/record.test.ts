/** What calls leave in the durable record: the marks that the call logic lives on. */
import { stat } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestCall } from '#contracts/test-call.ts'
import { amiField } from '#server/pbx/asterisk/ami-codec.ts'
import { openAmiLink } from '#server/pbx/asterisk/ami-link.ts'
import { instanceFolder, managerSecret } from '#server/pbx/asterisk/instance-folder.ts'
import {
  type Demo,
  type Mark,
  marks,
  messagesOf,
  openDemo,
  quiet,
  rowOf,
  rows,
} from '#test/asterisk/pbx/demo.ts'
import { waitUntil } from '#test/support/wait-until.ts'

/** Each needs the phones for itself: nothing must ring when a pick-up fails, and nobody talk when a queue chooses. */
const callsAlone: readonly TestCall[] = [
  { from: '202', to: '**201', talk_seconds: 2 },
  { from: '0288880076', to: '1003', talk_seconds: 4 },
]

/** All at once: each call is told apart by its caller, and the suite takes as long as the longest of them. */
const calls: readonly TestCall[] = [
  { from: '0288880001', from_name: 'Anna', to: '1002', keys: '2', lead_id: 'L&1 = ä' },
  { from: '0288880012', to: '1002', keys: '9', talk_seconds: 20 },
  { from: '0288880028', to: '1001', talk_seconds: 14 },
  { from: '0288880031', to: '1005' },
  { from: '0288880041', to: '1009' },
  { from: '0288880052', to: '1006' },
  { from: '0288880068', to: '1004', patience_seconds: 12 },
  { from: '0288880082', to: '1008' },
  { from: '0288880092', to: '+61290001011' },
  { from: '0288880102', to: '4711' },
  { from: '203', to: '0301111111' },
  { from: '203', to: '8301111114', keys: '##202', talk_seconds: 10 },
  { from: '203', to: '8302222224', keys: '*2202', talk_seconds: 14 },
  { from: '0288880111', to: '1007', keys: '##0301111111', talk_seconds: 6 },
]

let demo: Demo
let all: Mark[]

beforeAll(async () => {
  demo = await openDemo((d) => ({
    ...d,
    default_ring_seconds: 3,
    queues: d.queues.map((q) => ({ ...q, member_ring_seconds: 1 })),
  }))
  await waitUntil(() => demo.world.isRegistered(), { what: '204 is registered' })
  for (const call of callsAlone) {
    await demo.world.placeTestCall(call)
    await arrived(call)
    await quiet(demo)
  }
  for (const call of calls) await demo.world.placeTestCall(call)
  for (const call of calls) await arrived(call)
  await quiet(demo)
  all = await marks(demo.folder)
})
afterAll(() => demo[Symbol.asyncDispose]())

/** Waits until the record has the beginning of the call; it may be over by then. */
const arrived = (call: TestCall) =>
  waitUntil(async () => (await rows(demo.folder)).some((r) => r.callerNumber === call.from), {
    what: `the call of ${call.from} is on record`,
  })

/** The marks of the call that a number made, `NAME field=value …` without the file names. */
async function told(caller: string, called?: string): Promise<string[]> {
  const first = (await rows(demo.folder)).find(
    (r) =>
      r.type === 'CHAN_START' &&
      r.uniqueId === r.linkedId &&
      r.callerNumber === caller &&
      (called === undefined || r.extension === called),
  )
  return all
    .filter((m) => m.row.linkedId === first?.linkedId && m.name !== 'PBX_END')
    .map(({ name, fields }) => {
      const shown = Object.entries(fields).filter(([key]) => key !== 'file' && key !== 'bytes')
      return [name.slice(4), ...shown.map(([key, value]) => `${key}=${value}`)].join(' ')
    })
}

const fieldsOf = (name: string, where: (m: Mark) => boolean = () => true) =>
  all.find((m) => m.name === name && where(m))?.fields ?? {}

test('IVR, a chosen option, the lead id of the INVITE', async () => {
  expect(await told('0288880001')).toEqual([
    'LEAD id=L&1 = ä',
    'INBOUND did=1002 from=0288880001',
    'IVR_ENTER ivr=main',
    'IVR_OPTION ivr=main option=2',
    'LEG_USER user=202 queue= rg=',
  ])
})

test('IVR, an option that does not exist, then silence to the last try', async () => {
  expect(await told('0288880012')).toEqual([
    'INBOUND did=1002 from=0288880012',
    'IVR_ENTER ivr=main',
    'IVR_OPTION ivr=main option=i:9',
    'IVR_OPTION ivr=main option=t',
    'IVR_OPTION ivr=main option=t',
  ])
})

test('not answered: voicemail, with the size of the message', async () => {
  expect(await told('0288880028')).toEqual([
    'INBOUND did=1001 from=0288880028',
    'LEG_USER user=201 queue= rg=',
    'VOICEMAIL mailbox=201 status=SUCCESS',
  ])
  const { file, bytes } = fieldsOf('PBX_VOICEMAIL')
  expect(Number(bytes)).toBeGreaterThan(16_000)
  expect((await stat(`${file}.wav`)).size).toBe(Number(bytes))
})

test('a recorded number: start and end, with the size of the file', async () => {
  expect(await told('0288880031')).toEqual([
    'INBOUND did=1005 from=0288880031',
    'REC_START',
    'LEG_USER user=201 queue= rg=',
    'REC_END',
  ])
  const { file, bytes } = fieldsOf('PBX_REC_END', (m) => m.fields.file?.includes('/in-') ?? false)
  expect(Number(bytes)).toBeGreaterThan(16_000)
  expect((await stat(file ?? '')).size).toBe(Number(bytes))
})

test('a component passes its name and parameters', async () => {
  expect(await told('0288880041')).toEqual([
    'INBOUND did=1009 from=0288880041',
    'COMPONENT name=vip-caller node=17 note=a, b',
    'LEG_USER user=201 queue= rg=',
  ])
})

test('a user who is forwarded out', async () => {
  expect(await told('0288880052')).toEqual([
    'INBOUND did=1006 from=0288880052',
    'DIVERT user=203 to=01609999',
    'LEG_EXT to=01609999 for=203 why=divert',
  ])
})

test('a ring group that nobody answers', async () => {
  const lines = await told('0288880068')
  expect(lines.slice(0, 2)).toEqual(['INBOUND did=1004 from=0288880068', 'RG_ENTER rg=600'])
  expect(lines.slice(2, -1).sort()).toEqual([
    'LEG_USER user=201 queue= rg=600',
    'LEG_USER user=202 queue= rg=600',
    'LEG_USER user=203 queue= rg=600',
  ])
  expect(lines.at(-1)).toBe('RG_LEAVE rg=600 status=NOANSWER')
})

test('a queue, and the members that it tried', async () => {
  expect(await told('0288880076')).toEqual([
    'INBOUND did=1003 from=0288880076',
    'QUEUE_ENTER queue=sales',
    'LEG_USER user=201 queue=sales rg=',
    'LEG_USER user=202 queue=sales rg=',
  ])
})

test('a phone that registers is reached', async () => {
  expect(await told('0288880082')).toEqual([
    'INBOUND did=1008 from=0288880082',
    'LEG_USER user=204 queue= rg=',
  ])
})

test('a number in E.164 is the DID of the document, an unknown one is told all the same', async () => {
  expect(await told('0288880092')).toEqual([
    'INBOUND did=1011 from=0288880092',
    'LEG_USER user=202 queue= rg=',
  ])
  expect(await told('0288880102')).toEqual(['INBOUND did=4711 from=0288880102'])
})

test('an outbound call is recorded by its route', async () => {
  expect(await told('203', '0301111111')).toEqual([
    'USERCALL kind=out user=203 to=0301111111',
    'REC_START',
    'LEG_EXT to=0301111111 for=203 why=out',
    'REC_END',
  ])
})

test('an outbound call shows the user’s own number to the carrier', async () => {
  const { world } = demo.settings
  const carrier = openAmiLink({
    host: '127.0.0.1',
    port: world.amiPort,
    username: 'offhook',
    secret: await managerSecret(instanceFolder(world.folder)),
  })
  await waitUntil(() => carrier.client.isUp(), { what: 'the carrier can be asked' })
  await demo.world.placeTestCall({ from: '203', to: '0301111118', patience_seconds: 3 })
  const seen = await waitUntil(
    async () => {
      const channels = await carrier.client.list('CoreShowChannels')
      return channels.find((c) => amiField(c, 'Context') === 'behaviour')
    },
    { what: 'the call rings at the carrier' },
  )
  expect(amiField(seen, 'CallerIDNum')).toBe('+61290001003')
  await carrier.close()
})

test('a user transfers blind, and attended, by keys', async () => {
  const blind = await told('203', '8301111114')
  expect(blind.map((line) => line.replace(/ blind=.*/, ''))).toEqual([
    'USERCALL kind=out user=203 to=8301111114',
    'LEG_EXT to=8301111114 for=203 why=out',
    'TRANSFER_TO to=202',
    'LEG_USER user=202 queue= rg=',
  ])
  expect(blind[2]).toMatch(/ blind=PJSIP\/203-\w+ attended=$/)
  const attended = await told('203', '8302222224')
  expect(attended[2]).toMatch(/^TRANSFER_TO to=202 blind= attended=PJSIP\/203-\w+$/)
  expect(attended[3]).toBe('LEG_USER user=202 queue= rg=')
})

test('a caller from outside cannot transfer: it would be a call at our cost', async () => {
  expect(await told('0288880111')).toEqual([
    'INBOUND did=1007 from=0288880111',
    'LEG_USER user=201 queue= rg=',
  ])
})

test('a pick-up of nothing', async () => {
  expect(await told('202')).toEqual([
    'USERCALL kind=pickup user=202 to=201',
    'PICKUP_FAILED target=201',
  ])
})

test('a pick-up of a phone that rings', async () => {
  await demo.world.placeTestCall({ from: '0288880128', to: '1007', talk_seconds: 1 })
  const offered = all.filter((m) => m.name === 'PBX_LEG_USER').length
  await waitUntil(
    async () =>
      (await marks(demo.folder)).filter((m) => m.name === 'PBX_LEG_USER').length > offered,
    { what: 'the phone of 201 is called' },
  )
  await demo.world.placeTestCall({ from: '202', to: '**201', talk_seconds: 2 })
  const picked = await rowOf(demo.folder, 'PICKUP')
  expect(picked.extra.pickup_channel).toMatch(/^PJSIP\/202-/)
  await quiet(demo)
})

test.each([
  {
    what: 'answered',
    call: { from: '0288880211', to: '1007', talk_seconds: 1 },
    sip: 'SIP 200 OK',
  },
  { what: 'busy', call: { from: '0288880217', to: '1007' }, sip: 'SIP 486 Busy Here' },
  { what: 'declined', call: { from: '0288880219', to: '1007' }, sip: 'SIP 403 Forbidden' },
  { what: 'given up', call: { from: '0288880228', to: '1007' }, sip: 'SIP 180 Ringing' },
  { what: 'of several phones', call: { from: '0288880221', to: '1004', talk_seconds: 1 }, sip: '' },
])('the end has what the phone answered: $what', async ({ call, sip }) => {
  await demo.world.placeTestCall({ ...call, patience_seconds: 3 })
  const end = await waitUntil(
    async () =>
      (await marks(demo.folder)).find(
        (m) => m.name === 'PBX_END' && m.row.callerNumber === call.from,
      ),
    { what: 'the call has ended', timeoutMs: 40_000 },
  )
  expect(end.fields.sip).toBe(sip)
})

test('nothing in the PBX complained about the dialplan', async () => {
  const log = await messagesOf(demo.folder)
  const complaints = log
    .split('\n')
    .filter((line) => /(ERROR|WARNING)\[.*(pbx|func_|app_|res_cel)/.test(line))
  expect(complaints).toEqual([])
})
