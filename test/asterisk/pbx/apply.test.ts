/** Configuration becomes live while calls go on, and a broken one never does. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PbxDocument, PbxUser } from '#contracts/pbx.ts'
import { type AmiLink, openAmiLink } from '#server/pbx/asterisk/ami-link.ts'
import { applyConfiguration } from '#server/pbx/asterisk/apply-configuration.ts'
import { generateConfiguration } from '#server/pbx/asterisk/config/generate.ts'
import { instanceFolder, managerSecret } from '#server/pbx/asterisk/instance-folder.ts'
import { type Demo, openDemo, quiet, rowOf, rows } from '#test/asterisk/pbx/demo.ts'
import { waitUntil } from '#test/support/wait-until.ts'

let demo: Demo
beforeAll(async () => {
  demo = await openDemo()
})
afterAll(() => demo[Symbol.asyncDispose]())

const documentNow = () => demo.settings.pbx.document

const withUser = (d: PbxDocument, user: Partial<PbxUser>): PbxDocument => ({
  ...d,
  users: [...d.users, { ...(d.users[0] as PbxUser), has_voicemail: false, ...user }],
})

test('a call survives a change of everything', async () => {
  await demo.world.placeTestCall({ from: '0288880001', to: '1007', talk_seconds: 4 })
  const answered = await rowOf(demo.folder, 'BRIDGE_ENTER')
  const d = withUser(documentNow(), {
    uuid: crypto.randomUUID(),
    extension_number: '290',
    name: 'New; user, "x" <201>',
  })
  const applied = await demo.pbx.apply({
    ...d,
    default_ring_seconds: 2,
    queues: [
      ...d.queues,
      { ...(d.queues[0] as PbxDocument['queues'][0]), name: 'new', extension: '790' },
    ],
    feature_codes: { ...d.feature_codes, pickup: '*8' },
  })
  expect([...applied.changed].sort()).toEqual(['extensions.conf', 'pjsip.conf', 'queues.conf'])
  expect(applied.restartNeeded).toEqual([])
  // The call is still there, and ends as it was going to.
  expect(await demo.pbx.listChannels()).toContain(answered.linkedId)
  await quiet(demo)
  const hangup = (await rows(demo.folder)).find(
    (r) => r.type === 'HANGUP' && r.uniqueId === answered.linkedId,
  )
  expect(hangup?.extra).toMatchObject({ hangupcause: 16, dialstatus: 'ANSWER' })
  expect((hangup?.at ?? 0) - answered.at).toBeGreaterThan(2000)
  // And the new user can be called at once.
  await demo.world.placeTestCall({ from: '202', to: '290', talk_seconds: 1 })
  await waitUntil(
    async () => (await rows(demo.folder)).some((r) => r.channel.startsWith('PJSIP/290-')),
    { what: 'the phone of the new user rings' },
  )
  await quiet(demo)
  // Back, which takes the user and the queue away again.
  expect((await demo.pbx.apply(documentNow())).changed).toContain('pjsip.conf')
  expect((await demo.pbx.apply(documentNow())).changed).toEqual([])
})

test('what only a restart can change is told, and left to be decided', async () => {
  const applied = await demo.pbx.apply({ ...documentNow(), name: 'other' })
  expect(applied.restartNeeded).toEqual(['asterisk.conf'])
  await demo.pbx.apply(documentNow())
})

test('a restart ends with a PBX that works', async () => {
  await demo.pbx.restart()
  expect(await demo.pbx.listChannels()).toEqual(new Set())
})

async function link(): Promise<AmiLink & AsyncDisposable> {
  const { pbx } = demo.settings
  const opened = openAmiLink({
    host: '127.0.0.1',
    port: pbx.amiPort,
    username: 'offhook',
    secret: await managerSecret(instanceFolder(pbx.folder)),
  })
  await waitUntil(() => opened.client.isUp(), { what: 'the link is up' })
  return { ...opened, [Symbol.asyncDispose]: () => opened.close() }
}

const onDisk = (name: string) => readFile(join(demo.settings.pbx.folder, 'etc', name), 'utf8')

/** The demo's configuration with one file spoiled, as no document could. */
async function spoiled(file: string, spoil: (text: string) => string) {
  const { pbx } = demo.settings
  const site = {
    folder: pbx.folder,
    modules: pbx.asterisk.modules,
    sip: pbx.sip,
    ami: { port: pbx.amiPort, secret: await managerSecret(instanceFolder(pbx.folder)) },
    rtp: pbx.rtp,
  }
  const good = generateConfiguration(withUser(documentNow(), { extension_number: '291' }), site)
  const files = new Map(good.files)
  files.set(file, spoil(files.get(file) ?? ''))
  return { ...good, files }
}

test('a broken dialplan is found out and taken back', async () => {
  const before = await onDisk('extensions.conf')
  const broken = await spoiled('extensions.conf', (text) =>
    text.replace('[from-users]', '[from-users'),
  )
  await using ami = await link()
  const applying = applyConfiguration(ami.client, instanceFolder(demo.settings.pbx.folder), broken)
  await expect(applying).rejects.toMatchObject({
    code: 'configuration_rejected',
    message: expect.stringMatching(/did not take the new extensions\.conf.*no closing '\]'/s),
  })
  expect(await onDisk('extensions.conf')).toBe(before)
  // The PBX is as it was: the same document changes nothing, and calls go through.
  expect((await demo.pbx.apply(documentNow())).changed).toEqual([])
  await demo.world.placeTestCall({ from: '0288880011', to: '1007', talk_seconds: 1 })
  await waitUntil(
    async () =>
      (await rows(demo.folder)).some((r) => r.callerNumber === '0288880011' && r.type === 'ANSWER'),
    { what: 'a call is answered' },
  )
  await quiet(demo)
})

test('a phone that the SIP stack does not take is found out, too', async () => {
  const broken = await spoiled('pjsip.conf', (text) =>
    text.replace('[291]\ntype = endpoint\n', '[291]\ntype = endpoint\nno_such_option = 1\n'),
  )
  await using ami = await link()
  const applying = applyConfiguration(ami.client, instanceFolder(demo.settings.pbx.folder), broken)
  await expect(applying).rejects.toMatchObject({
    code: 'configuration_rejected',
    message: expect.stringContaining('endpoints 291'),
  })
  expect((await demo.pbx.apply(documentNow())).changed).toEqual([])
})
