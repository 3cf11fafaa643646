/** What was recorded in a call, over the API and by links. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { Problem } from '#contracts/problem.ts'
import { audioLink } from '#server/domain/audio-link.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { acceptanceOf } from '#test/conformance/fixture.ts'
import { type Api, publicUrl, startApi } from './start-api.ts'

let server: Api
beforeAll(async () => {
  server = await startApi()
})
afterAll(async () => await server[Symbol.asyncDispose]())

const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, i) => i % 256))
let services = 0

async function createService(connection: object): Promise<string> {
  services += 1
  const reply = await server.anna.request('POST', '/api/v1/services', {
    body: { name: `pbx${services}`, friendly_name: 'Office', connection },
  })
  expect(reply.status).toBe(201)
  return reply.body.uuid
}

const managed = { kind: 'asterisk_managed' }

/** A call of the service with a recording of that name; gives where its audio is. */
async function recordedCall(serviceUuid: string, file = 'in-pbx1-1.0.wav') {
  const sample = eventSamples[
    'recording.inbound.completed'
  ] as EventOf<'recording.inbound.completed'>
  const call = namedUuid(serviceUuid, file)
  const id = `evt_${call.replaceAll('-', '').toUpperCase().slice(0, 26)}`
  const { account } = server.anna
  const event = {
    ...sample,
    id,
    account: { ...account },
    service: { ...sample.service, uuid: serviceUuid },
    call: { ...sample.call, uuid: call },
    recording: { ...sample.recording, file },
  }
  const tenant = { account, serviceUuid }
  await acceptEvents(server.store, acceptanceOf(tenant, [event], { now: Date.now() }))
  return { id, call, audio: `/api/v1/calls/${call}/recordings/${id}/audio` }
}

async function putFile(serviceUuid: string, file: string): Promise<string> {
  const path = join(server.pbxFolder, serviceUuid, 'spool', 'monitor', file)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  return path
}

/** The answer with its bytes. */
async function fetchAudio(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.anna.key}`, ...headers },
  })
  return { response, body: Buffer.from(await response.arrayBuffer()) }
}

async function recorded() {
  const serviceUuid = await createService(managed)
  await putFile(serviceUuid, 'in-pbx1-1.0.wav')
  return { serviceUuid, ...(await recordedCall(serviceUuid)) }
}

test('what was recorded in a call is listed, with where to get it', async () => {
  const { id, call, audio } = await recorded()
  const list = await server.anna.request('GET', `/api/v1/calls/${call}/recordings`)
  expect(list.body.items).toEqual([
    expect.objectContaining({
      id,
      kind: 'recording',
      type: 'recording.inbound.completed',
      file: 'in-pbx1-1.0.wav',
      mailbox: null,
      url: publicUrl + audio,
      public_url: expect.stringContaining(`${publicUrl}/api/v1/recordings/${id}/public?`),
    }),
  ])
  const own = new URL(list.body.items[0].public_url)
  const { response, body } = await fetchAudio(own.pathname + own.search, { authorization: '' })
  expect(response.status).toBe(200)
  expect(body.equals(bytes)).toBe(true)
})

test('a call without recordings has an empty list; one that is not there or not yours has none', async () => {
  const { call, audio } = await recorded()
  const absent = namedUuid(call, 'absent')
  const reply = await server.anna.request('GET', `/api/v1/calls/${absent}/recordings`)
  expect(reply.body.code).toBe('not_found')
  for (const path of [`/api/v1/calls/${call}/recordings`, audio]) {
    expect((await server.bert.request('GET', path)).body.code).toBe('not_found')
    expect((await fetch(server.url + path)).status).toBe(401)
  }
  const elsewhere = audio.replace(call, absent)
  expect((await server.anna.request('GET', elsewhere)).body.code).toBe('not_found')
})

test('the audio is sent whole, to be played or to be saved', async () => {
  const { audio } = await recorded()
  const { response, body } = await fetchAudio(audio)
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'audio/wav',
    'content-length': '1000',
    'accept-ranges': 'bytes',
    'content-disposition': 'inline; filename="in-pbx1-1.0.wav"',
    'x-content-type-options': 'nosniff',
  })
  expect(body.equals(bytes)).toBe(true)
  const saved = await fetchAudio(`${audio}?download=1`)
  expect(saved.response.headers.get('content-disposition')).toMatch(/^attachment; /)
  const head = await fetchAudio(audio, {}, 'HEAD')
  expect(head.response.headers.get('content-length')).toBe('1000')
  expect(head.body).toHaveLength(0)
})

test('a range is sent as players ask for it', async () => {
  const { audio } = await recorded()
  const { response, body } = await fetchAudio(audio, { range: 'bytes=100-199' })
  expect(response.status).toBe(206)
  expect(response.headers.get('content-range')).toBe('bytes 100-199/1000')
  expect(body.equals(bytes.subarray(100, 200))).toBe(true)
  const etag = response.headers.get('etag') ?? ''

  const last = await fetchAudio(audio, { range: 'bytes=-1', 'if-range': etag })
  expect(last.body.equals(bytes.subarray(999))).toBe(true)
  const other = await fetchAudio(audio, { range: 'bytes=-1', 'if-range': '"another"' })
  expect(other.response.status).toBe(200)
  const beyond = await fetchAudio(audio, { range: 'bytes=1000-' })
  expect(beyond.response.status).toBe(416)
  expect(beyond.response.headers.get('content-range')).toBe('bytes */1000')
  expect(beyond.response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
})

test('a name from a CEL row leads nowhere but to audio of the PBX', async () => {
  const serviceUuid = await createService(managed)
  const inside = await putFile(serviceUuid, 'in-pbx1-1.0.wav')
  await writeFile(join(dirname(dirname(inside)), 'secret.wav'), bytes)
  await symlink(join(dirname(dirname(inside)), 'secret.wav'), join(dirname(inside), 'link.wav'))
  for (const file of ['../secret.wav', 'link.wav', '/etc/hostname', '..%2fsecret.wav']) {
    const { audio } = await recordedCall(serviceUuid, file)
    expect((await server.anna.request('GET', audio)).body.code).toBe('audio_gone')
  }
})

test('where there is no audio to be had the reply says why', async () => {
  const codeOf = async (connection: object, prepare?: (uuid: string) => Promise<unknown>) => {
    const serviceUuid = await createService(connection)
    await prepare?.(serviceUuid)
    const { audio } = await recordedCall(serviceUuid)
    return (await server.anna.request('GET', audio)).body
  }
  const attached = { kind: 'asterisk_attached', cel_path: '/var/log/cel.csv' }
  expect(await codeOf({ kind: 'asterisk_agent' })).toMatchObject({
    status: 409,
    code: 'audio_not_here',
  })
  expect(await codeOf(attached)).toMatchObject({ code: 'audio_not_here' })
  const absent = { ...attached, recordings_path: join(server.pbxFolder, 'absent') }
  expect(await codeOf(absent)).toMatchObject({ status: 503, code: 'audio_unreachable' })
  expect(await codeOf(managed, async (uuid) => await putFile(uuid, 'another.wav'))).toMatchObject({
    status: 410,
    code: 'audio_gone',
  })
})

test('an attached PBX gives audio of the folder that it names, and not of another service', async () => {
  const other = await recorded()
  const foreign = join(dirname(server.pbxFolder), 'foreign-monitor')
  await mkdir(foreign, { recursive: true })
  await writeFile(join(foreign, 'in-pbx1-1.0.wav'), bytes)
  const attached = (recordings_path: string) =>
    createService({ kind: 'asterisk_attached', cel_path: '/var/log/cel.csv', recordings_path })
  const own = await recordedCall(await attached(foreign))
  expect((await fetchAudio(own.audio)).body.equals(bytes)).toBe(true)
  const folder = join(server.pbxFolder, other.serviceUuid, 'spool', 'monitor')
  const spying = await recordedCall(await attached(folder))
  expect((await server.anna.request('GET', spying.audio)).body.code).toBe('audio_not_here')
})

test('the audio of a deleted service is gone', async () => {
  const { serviceUuid, audio } = await recorded()
  expect((await server.anna.request('DELETE', `/api/v1/services/${serviceUuid}`)).status).toBe(204)
  expect((await server.anna.request('GET', audio)).body.code).toBe('audio_gone')
})

test('a link of an event works without a key, until it expires, and for nothing else', async () => {
  const { id } = await recorded()
  const other = await recorded()
  const pathOf = (link: string) => link.slice(publicUrl.length)
  const link = pathOf(audioLink(server.links, id, Date.now()))
  const bare = await fetch(server.url + link)
  expect(bare.status).toBe(200)
  expect(Buffer.from(await bare.arrayBuffer()).equals(bytes)).toBe(true)
  const ranged = await fetch(server.url + link, { headers: { range: 'bytes=0-9' } })
  expect(ranged.status).toBe(206)

  const code = async (path: string) =>
    Problem.parse(await (await fetch(server.url + path)).json()).code
  const old = pathOf(audioLink(server.links, id, Date.now() - server.links.ttlMs - 1_000))
  expect(await code(old)).toBe('link_expired')
  expect(await code(link.replace(id, other.id))).toBe('link_wrong')
  expect(await code(link.replace(/expires=\d/, 'expires=9'))).toBe('link_wrong')
  expect(await code(link.replace(/signature=.*/, 'signature=x'))).toBe('link_wrong')
  expect(await code(link.replace(/&signature=.*/, ''))).toBe('invalid_input')
  const unknown = pathOf(audioLink(server.links, id.replace(/.$/, 'Z'), Date.now()))
  expect(await code(unknown)).toBe('not_found')
  expect(JSON.stringify(server.log())).not.toContain('signature=')
})
