/** Audio that a real Asterisk wrote, from the events that tell of it to the bytes that are heard. */
import { mkdir, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { CallRecording } from '#contracts/call-recording.ts'
import type { EventOf, EventType } from '#contracts/events/catalogue.ts'
import { anna, answersAfter, isBusy } from '#test/asterisk/people.ts'
import { play } from '#test/asterisk/play.ts'
import { type Stack, showLog, startStack } from '#test/asterisk/stack.ts'
import { answered, hangUp, speak, wait } from '#test/support/sipp-scenario.ts'

const publicUrl = 'https://pbx.example.com/offhook'
let stack: Stack
beforeAll(async () => {
  stack = await startStack({ env: { OFFHOOK_PUBLIC_URL: `${publicUrl}/` } })
})
beforeEach(({ onTestFailed }) => onTestFailed(() => showLog(stack)))
afterAll(async () => await stack?.[Symbol.asyncDispose]())

async function told<T extends EventType>(type: T): Promise<EventOf<T>> {
  const requests = await stack.receiver.waitFor(
    (all) => all.some(({ event }) => event?.type === type),
    type,
  )
  return requests.find(({ event }) => event?.type === type)?.event as EventOf<T>
}

/** What is heard at a link, without a key. */
async function heard(link: string | null): Promise<Buffer> {
  expect(link).toMatch(`${publicUrl}/api/v1/recordings/evt_`)
  const response = await fetch((link ?? '').replace(publicUrl, stack.offhook.url))
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('audio/wav')
  return Buffer.from(await response.arrayBuffer())
}

const isSpeech = (audio: Buffer) =>
  audio.subarray(0, 4).toString() === 'RIFF' && audio.length > 16_000

const list = async (uuid: string) =>
  (await stack.offhook.api<{ items: CallRecording[] }>('GET', `/calls/${uuid}/recordings`)).items

test('a recorded call: its event, its record and the API lead to the file of the PBX', async () => {
  await play(
    {
      callers: [anna('1005', answered, speak, wait(3_000), hangUp)],
      phones: { 201: answersAfter(1_000) },
    },
    stack.ports,
  )
  const { recording, call } = await told('recording.inbound.completed')
  const audio = await heard(recording.url)
  expect(isSpeech(audio)).toBe(true)
  expect(audio).toHaveLength(recording.bytes ?? 0)
  const written = await readFile(join(stack.pbx.recordings, recording.file))
  expect(audio.equals(written)).toBe(true)
  expect((await told('call.ended')).call).toMatchObject({
    uuid: call.uuid,
    recording_url: recording.url,
  })
  expect(await list(call.uuid)).toMatchObject([
    { kind: 'recording', file: recording.file, bytes: audio.length, duration: recording.duration },
  ])
})

test('a message that was left is heard, and is still the same one after it was moved', async () => {
  await play(
    {
      callers: [anna('1001', answered, speak, wait(10_000), hangUp)],
      phones: { 201: isBusy },
    },
    stack.ports,
  )
  const { voicemail, call } = await told('voicemail.left')
  const audio = await heard(voicemail.audio_url)
  expect(isSpeech(audio)).toBe(true)
  const inbox = join(stack.pbx.voicemail, 'default', '201', 'INBOX')
  expect(await readdir(inbox)).toContain(voicemail.file)
  expect(audio.equals(await readFile(join(inbox, voicemail.file)))).toBe(true)

  // As Asterisk does when it was heard: it goes to another folder, and gets another number.
  const old = join(stack.pbx.voicemail, 'default', '201', 'Old')
  await mkdir(old, { recursive: true })
  const base = voicemail.file.replace('.wav', '')
  for (const ending of ['wav', 'txt']) {
    await rename(join(inbox, `${base}.${ending}`), join(old, `msg0007.${ending}`))
  }
  expect(audio.equals(await heard(voicemail.audio_url))).toBe(true)
  expect(await list(call.uuid)).toMatchObject([
    { kind: 'voicemail', mailbox: '201', duration: voicemail.duration },
  ])
})
