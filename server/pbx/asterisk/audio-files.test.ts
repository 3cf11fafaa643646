import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openAudioFile } from '#server/pbx/asterisk/audio-files.ts'
import type { WantedAudio } from '#server/pbx/audio.ts'

let root: string
let recordings: string
let voicemail: string
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'offhook-audio-')))
  recordings = join(root, 'monitor')
  voicemail = join(root, 'voicemail')
  await mkdir(recordings)
  await mkdir(voicemail)
})
afterEach(async () => await rm(root, { recursive: true }))

async function put(path: string, content = 'RIFF of some length'): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

/** What the file says; the reason where there is none. */
async function heard(wanted: WantedAudio, own: string | null = null): Promise<string> {
  const opened = await openAudioFile({ recordings, voicemail }, wanted, own)
  if (typeof opened === 'string') return opened
  await using handle = opened.handle
  return `${opened.mediaType} ${await handle.readFile('utf8')}`
}

const startedAt = Date.parse('2026-11-22T23:30:00.000Z')
const recording = (file: string): WantedAudio => ({ kind: 'recording', file, startedAt })

test('a recording is in its folder, or in that of its day in whatever time zone', async () => {
  await put(join(recordings, 'in-pbx1-1.0.wav'), 'one')
  await put(join(recordings, '2026/11/23/in-pbx1-2.0.wav'), 'two')
  await put(join(recordings, '2026/11/21/in-pbx1-3.0.gsm'), 'three')
  expect(await heard(recording('in-pbx1-1.0.wav'))).toBe('audio/wav one')
  expect(await heard(recording('in-pbx1-2.0.wav'))).toBe('audio/wav two')
  expect(await heard(recording('in-pbx1-3.0.gsm'))).toBe('audio/x-gsm three')
  expect(await heard(recording('in-pbx1-4.0.wav'))).toBe('gone')
})

test.each([
  '../secret.wav',
  '../../etc/passwd',
  '..',
  '.',
  '',
  '/etc/passwd',
  'sub/inside.wav',
  'sub\\inside.wav',
  '.hidden.wav',
  'notes.txt',
  'nothing',
  'a\u0000.wav',
  'a\n.wav',
  `${'a'.repeat(300)}.wav`,
])('no name leads elsewhere: %j', async (file) => {
  await put(join(root, 'secret.wav'))
  for (const name of ['sub/inside.wav', '.hidden.wav', 'notes.txt', 'nothing']) {
    await put(join(recordings, name))
  }
  expect(await heard(recording(file))).toBe('gone')
})

test('a link leads nowhere outside of the folder, and to nothing but audio', async () => {
  await put(join(root, 'secret.wav'))
  await put(join(recordings, 'notes.txt'))
  await put(join(recordings, 'kept/real.wav'), 'inside')
  await symlink(join(root, 'secret.wav'), join(recordings, 'out.wav'))
  await symlink(join(recordings, 'notes.txt'), join(recordings, 'text.wav'))
  await symlink('loop.wav', join(recordings, 'loop.wav'))
  await symlink(join(recordings, 'kept/real.wav'), join(recordings, 'in.wav'))
  await symlink(root, join(recordings, '2026'))
  await mkdir(join(recordings, 'folder.wav'))
  for (const name of ['out.wav', 'text.wav', 'loop.wav', 'folder.wav']) {
    expect(await heard(recording(name))).toBe('gone')
  }
  expect(await heard(recording('in.wav'))).toBe('audio/wav inside')
})

test('a folder that nobody named, that is not there, or that is ours', async () => {
  await put(join(recordings, 'a.wav'))
  expect(await openAudioFile({ recordings: null, voicemail }, recording('a.wav'), null)).toBe(
    'not_named',
  )
  const absent = join(root, 'absent')
  expect(await openAudioFile({ recordings: absent, voicemail }, recording('a.wav'), null)).toBe(
    'unreachable',
  )
  expect(await heard(recording('a.wav'), root)).toBe('not_named')
  await symlink(recordings, join(root, 'disguised'))
  const disguised = { recordings: join(root, 'disguised'), voicemail }
  expect(await openAudioFile(disguised, recording('a.wav'), recordings)).toBe('not_named')
  expect(await heard(recording('a.wav'), join(root, 'mon'))).toBe('audio/wav RIFF of some length')
})

/** As Asterisk 22 writes it beside each message. */
const about = (caller: string, begun: number, duration: number) => `;
; Message Information file
;
[message]
origmailbox=201
context=to-voicemail
macrocontext=
exten=201
rdnis=unknown
priority=2
callerchan=PJSIP/trunk-00000004
callerid=${caller}
origdate=Sun Nov 22 07:34:12 PM UTC 2026
origtime=${begun}
category=
msg_id=${begun}-00000001
flag=
duration=${duration}
`

const left = 1_795_359_653
async function message(
  box: string,
  number: number,
  caller: string,
  begun: number,
  duration = 6,
): Promise<void> {
  const path = join(voicemail, 'default/201', box, `msg${String(number).padStart(4, '0')}`)
  await put(`${path}.wav`, `${caller} at ${begun}`)
  await put(`${path}.txt`, about(`"Somebody" <${caller}>`, begun, duration))
}

const wantedMessage = (more: Partial<Extract<WantedAudio, { kind: 'voicemail' }>> = {}) => ({
  kind: 'voicemail' as const,
  mailbox: '201',
  file: 'msg0000.wav',
  leftAt: left * 1000 + 588,
  duration: 6,
  caller: '0301234567',
  ...more,
})

test('a message is found where it was left, and where it went', async () => {
  await message('INBOX', 0, '0301234567', left - 6)
  const heardIt = `audio/wav 0301234567 at ${left - 6}`
  expect(await heard(wantedMessage())).toBe(heardIt)
  expect(await heard(wantedMessage({ mailbox: '201@default' }))).toBe(heardIt)
  await mkdir(join(voicemail, 'default/201/Old'))
  for (const ending of ['wav', 'txt']) {
    await rename(
      join(voicemail, `default/201/INBOX/msg0000.${ending}`),
      join(voicemail, `default/201/Old/msg0003.${ending}`),
    )
  }
  expect(await heard(wantedMessage())).toBe(heardIt)
})

test('another message under the same name is not played', async () => {
  // The first was deleted, and the second is called msg0000 since then.
  await message('INBOX', 0, '0301234567', left + 60)
  expect(await heard(wantedMessage())).toBe('gone')
  const later = { leftAt: (left + 66) * 1000, file: 'msg0001.wav' }
  expect(await heard(wantedMessage(later))).toBe(`audio/wav 0301234567 at ${left + 60}`)
})

test('of two that came at the same time each caller’s is its own', async () => {
  await message('INBOX', 0, '0301234567', left - 6)
  await message('INBOX', 1, '0309999999', left - 6)
  const other = wantedMessage({ caller: '0309999999' })
  expect(await heard(other)).toBe(`audio/wav 0309999999 at ${left - 6}`)
  expect(await heard(wantedMessage({ caller: '0305555555' }))).toBe('gone')
  expect(await heard(wantedMessage({ duration: 20 }))).toBe('gone')
})

test.each(['../default/201', '201/../../..', '', '201@../..', '201@default/x', '.', '201\n'])(
  'no mailbox leads elsewhere: %j',
  async (mailbox) => {
    await message('INBOX', 0, '0301234567', left - 6)
    expect(await heard(wantedMessage({ mailbox }))).toBe('gone')
  },
)

test('a text file that is not one of Asterisk’s is passed over', async () => {
  await put(join(voicemail, 'default/201/INBOX/msg0000.txt'), 'x'.repeat(100_000))
  await put(join(voicemail, 'default/201/INBOX/msg0000.wav'))
  await symlink('/etc/passwd', join(voicemail, 'default/201/INBOX/msg0001.txt'))
  expect(await heard(wantedMessage())).toBe('gone')
})
