/** `examples/nps/app.js` with the real API: every score gets its recording, in whichever order the events come. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Event, EventOf } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { projectFolder } from '#server/config.ts'
import { namedUuid } from '#server/domain/events/ids.ts'
import { nativeBody } from '#server/domain/render/native-body.ts'
import { newSecret, signatureHeaders } from '#server/domain/sign.ts'
import { acceptEvents } from '#server/store/accept.ts'
import { type Api, startApi } from '#test/api/start-api.ts'
import { acceptanceOf } from '#test/conformance/fixture.ts'
import { freeTcpPort } from '#test/support/free-port.ts'
import { waitUntil } from '#test/support/wait-until.ts'

const secret = newSecret(Buffer.from('0123456789abcdef01234567'))
const sound = Buffer.from('RIFF and the rest')

let server: Api
let app: Awaited<ReturnType<typeof startApp>>
let serviceUuid: string
beforeAll(async () => {
  server = await startApi()
  const { body } = await server.anna.request('POST', '/api/v1/services', {
    body: { name: 'pbx1', friendly_name: 'PBX', connection: { kind: 'asterisk_managed' } },
  })
  serviceUuid = body.uuid
  app = await startApp()
})
afterAll(async () => {
  await app?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
})

async function startApp() {
  const folder = await mkdtemp(join(tmpdir(), 'offhook-nps-'))
  const port = await freeTcpPort()
  const child = spawn(process.execPath, [join(projectFolder, 'examples/nps/app.js')], {
    env: {
      ...{ SECRET: secret, PORT: String(port), FOLDER: folder },
      ...{ API: server.url, API_KEY: server.anna.key },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  await waitUntil(() => output.includes('listens'), { what: 'the app listens' })
  return {
    folder,
    output: () => output,
    async post(event: Event) {
      const body = nativeBody(event)
      const headers = { ...signatureHeaders({ id: event.id, at: Date.now(), body }, [secret]) }
      const url = `http://127.0.0.1:${port}/`
      return (await fetch(url, { method: 'POST', body, headers })).status
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true })
    },
  }
}

type OfCall = EventOf<'ivr.option_selected' | 'recording.inbound.completed' | 'call.ended'>

/** The events of one call in which somebody pressed 9, and what the PBX kept of it. */
function npsCall(name: string) {
  const uuid = namedUuid(serviceUuid, name)
  const file = `${name}.wav`
  const ofCall = <T extends OfCall['type']>(type: T): EventOf<T> => {
    const sample: OfCall = eventSamples[type]
    const id = `evt_${namedUuid(uuid, type).replaceAll('-', '').toUpperCase().slice(0, 26)}`
    const account = { ...server.anna.account }
    const service = { ...sample.service, uuid: serviceUuid }
    return { ...sample, id, account, service, call: { ...sample.call, uuid } } as EventOf<T>
  }
  const score = { ...ofCall('ivr.option_selected'), ivr: { name: 'nps', option: '9', valid: true } }
  const told = ofCall('recording.inbound.completed')
  const recorded = { ...told, recording: { ...told.recording, file } }
  const ended = ofCall('call.ended')
  return {
    ...{ score, recorded, ended, uuid },
    /** Offhook has read so much of the call. */
    async happens(...events: readonly Event[]) {
      const tenant = { account: server.anna.account, serviceUuid }
      await acceptEvents(server.store, acceptanceOf(tenant, events, { now: Date.now() }))
    },
    async keepAudio() {
      const path = join(server.pbxFolder, serviceUuid, 'spool', 'monitor', file)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, sound)
    },
    /** What the app has: undefined without a score. */
    recording(): unknown {
      using table = new DatabaseSync(join(app.folder, 'scores.db'), { readOnly: true })
      return table.prepare('select recording from score where call_uuid = ?').get(uuid)?.recording
    },
  }
}

async function hasRecording(call: ReturnType<typeof npsCall>) {
  const file = join(app.folder, `${call.uuid}.wav`)
  expect(call.recording()).toBe(file)
  expect((await readFile(file)).equals(sound)).toBe(true)
}

test('the score, then the end', async () => {
  const call = npsCall('score-first')
  await call.happens(call.score)
  expect(await app.post(call.score)).toBe(204)
  expect(call.recording()).toBe(null)
  await call.keepAudio()
  await call.happens(call.recorded, call.ended)
  expect(await app.post(call.ended)).toBe(204)
  await hasRecording(call)
})

test('the end, then the score, which was tried in vain before', async () => {
  const call = npsCall('end-first')
  await call.keepAudio()
  await call.happens(call.score, call.recorded, call.ended)
  expect(await app.post(call.ended)).toBe(204)
  expect(call.recording()).toBe(undefined)
  expect(await app.post(call.score)).toBe(204)
  await hasRecording(call)
})

test('where the API fails the event is to come again, and the score is kept meanwhile', async () => {
  const call = npsCall('api-fails')
  await call.keepAudio()
  expect(await app.post(call.score)).toBe(500)
  expect(call.recording()).toBe(null)
  await call.happens(call.recorded, call.ended)
  expect(await app.post(call.score)).toBe(204)
  await hasRecording(call)
})

test('a call that was not recorded, and audio that is gone: said, and not asked for again and again', async () => {
  const silent = npsCall('not-recorded')
  await silent.happens(silent.score, silent.ended)
  expect(await app.post(silent.score)).toBe(204)
  expect(await app.post(silent.ended)).toBe(204)
  expect(silent.recording()).toBe(null)
  expect(app.output()).toContain(`no recording of ${silent.uuid}`)

  const gone = npsCall('gone')
  await gone.happens(gone.score, gone.recorded, gone.ended)
  expect(await app.post(gone.score)).toBe(204)
  expect(await app.post(gone.ended)).toBe(204)
  expect(gone.recording()).toBe(null)
  expect(app.output()).toMatch(new RegExp(`${gone.uuid}.* answered 410`))
  // Somebody has put it back, and has the event sent again.
  await gone.keepAudio()
  expect(await app.post(gone.ended)).toBe(204)
  await hasRecording(gone)
})
