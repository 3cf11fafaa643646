// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is how the dialplan writes its variables
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PbxDocument, PbxUser } from '#contracts/pbx.ts'
import { celColumns } from '#server/pbx/asterisk/cel-row.ts'
import { plain } from '#server/pbx/asterisk/config/dialplan-text.ts'
import { generateConfiguration, reloadedBy } from '#server/pbx/asterisk/config/generate.ts'
import { moduleNames } from '#server/pbx/asterisk/config/modules.ts'
import { confValue } from '#server/pbx/asterisk/config/site.ts'
import { demoPbxDocument } from '#server/pbx/asterisk/demo-pbx.ts'

const site = {
  folder: '/srv/pbx; 1',
  modules: '/usr/lib/asterisk/modules',
  sip: { host: '127.0.0.1', port: 5060 },
  ami: { port: 5038, secret: 'secret-of-the-manager' },
  rtp: { first: 10_000, last: 10_100 },
}
const demo = demoPbxDocument({
  carrierPort: 16_060,
  carrierMatch: ['127.0.0.1:16061'],
  phonePorts: { 201: 16_201, 202: 16_202, 203: 16_203 },
  registeringSecret: 'secret-of-204',
})

const fileOf = (document: PbxDocument, name: string) =>
  generateConfiguration(document, site).files.get(name) ?? ''

/** The lines of a context or section. */
function part(file: string, name: string): string[] {
  const lines = file.split('\n')
  const from = lines.indexOf(`[${name}]`)
  const to = lines.findIndex((line, i) => i > from && line.startsWith('['))
  return from < 0 ? [] : lines.slice(from + 1, to < 0 ? undefined : to).filter((l) => l !== '')
}

test('the same document gives the same revision, another one another', () => {
  const { revision } = generateConfiguration(demo, site)
  expect(generateConfiguration(structuredClone(demo), site).revision).toBe(revision)
  expect(generateConfiguration({ ...demo, default_ring_seconds: 9 }, site).revision).not.toBe(
    revision,
  )
  expect(part(fileOf(demo, 'extensions.conf'), 'globals')).toContain(`PBX_CONFIG_REV = ${revision}`)
})

test('the record has the columns that its reader expects', () => {
  expect(part(fileOf(demo, 'cel_custom.conf'), 'cel.csv')).toEqual([
    'format = dsv',
    `fields = ${celColumns.join(',')}`,
  ])
})

test('every reloadable file is generated, and nothing loads without being asked', () => {
  const { files } = generateConfiguration(demo, site)
  for (const name of reloadedBy.keys()) expect(files.has(name)).toBe(true)
  expect(files.get('modules.conf')).toContain('autoload = no')
  expect(new Set(moduleNames).size).toBe(moduleNames.length)
})

test('an IVR', () => {
  expect(part(fileOf(demo, 'extensions.conf'), 'ivr-main')).toEqual([
    'exten => s,1,Set(PBX_IVR=main)',
    ' same => n,CELGenUserEvent(PBX_IVR_ENTER,ivr=main)',
    ' same => n,Answer()',
    ' same => n,Set(TIMEOUT(digit)=1)',
    ' same => n,Set(TIMEOUT(response)=2)',
    ' same => n,Set(PBX_TRIES=0)',
    ' same => n(menu),Background(beep)',
    ' same => n,WaitExten(2)',
    'exten => 1,1,Gosub(opt,s,1(main,1))',
    ' same => n,Gosub(call-user,201,1)',
    ' same => n,Hangup()',
    'exten => 2,1,Gosub(opt,s,1(main,2))',
    ' same => n,Gosub(call-user,202,1)',
    ' same => n,Hangup()',
    'exten => 3,1,Gosub(opt,s,1(main,3))',
    ' same => n,Goto(queue-sales,s,1)',
    'exten => i,1,Gosub(opt,s,1(main,i:${URIENCODE(${INVALID_EXTEN})}))',
    ' same => n,Set(PBX_TRIES=$[${PBX_TRIES}+1])',
    ' same => n,GotoIf($[${PBX_TRIES} >= 3]?invalid,1)',
    ' same => n,Goto(s,menu)',
    'exten => t,1,Gosub(opt,s,1(main,t))',
    ' same => n,Set(PBX_TRIES=$[${PBX_TRIES}+1])',
    ' same => n,GotoIf($[${PBX_TRIES} >= 3]?timeout,1)',
    ' same => n,Goto(s,menu)',
    'exten => invalid,1,Playback(vm-goodbye)',
    ' same => n,Hangup()',
    'exten => timeout,1,Playback(vm-goodbye)',
    ' same => n,Hangup()',
  ])
})

test('a number is known in all its forms, and a component passes on', () => {
  const file = fileOf(demo, 'extensions.conf')
  const lines = part(file, 'from-trunk')
  expect(lines).toContain('exten => 1009,1,Gosub(sub-in,s,1(1009))')
  expect(lines).toContain('exten => +61290001009,1,Goto(1009,1)')
  expect(lines).toContain('exten => 61290001009,1,Goto(1009,1)')
  expect(part(file, 'component-vip-caller')).toEqual([
    'exten => s,1,CELGenUserEvent(PBX_COMPONENT,name=vip-caller&node=17&note=a%2C%20b)',
    ' same => n,Gosub(call-user,201,1)',
    ' same => n,Hangup()',
  ])
})

test('a Webhook object is where an IVR option, a time-out of a queue or a ring group leads', () => {
  const destination = { type: 'component', name: 'vip-caller' } as const
  const file = fileOf(
    {
      ...demo,
      ivrs: demo.ivrs.map((ivr) => ({ ...ivr, options: { ...ivr.options, 7: destination } })),
      queues: demo.queues.map((queue) => ({ ...queue, fallback: destination })),
      ring_groups: demo.ring_groups.map((group) => ({ ...group, fallback: destination })),
    },
    'extensions.conf',
  )
  const there = ' same => n,Goto(component-vip-caller,s,1)'
  const lines = part(file, 'ivr-main')
  expect(lines[lines.indexOf('exten => 7,1,Gosub(opt,s,1(main,7))') + 1]).toBe(there)
  expect(part(file, 'queue-sales')).toContain(there)
  expect(part(file, `ringgroup-${demo.ring_groups[0]?.name}`)).toContain(there)
})

test('a forward leads out, or to an object of the PBX', () => {
  const forwardedTo = (forward_to: string) =>
    part(
      fileOf(
        {
          ...demo,
          users: demo.users.map((u) => ({
            ...u,
            forward_to: u.extension_number === '203' ? forward_to : null,
          })),
        },
        'extensions.conf',
      ),
      'call-user',
    ).filter((_, i, all) => i >= all.findIndex((l) => l.startsWith('exten => 203')))
  expect(forwardedTo('01609999').slice(0, 2)).toEqual([
    'exten => 203,1,CELGenUserEvent(PBX_DIVERT,user=203&to=01609999)',
    ' same => n,Gosub(call-external,01609999,1(203,divert))',
  ])
  expect(forwardedTo('202')[0]).toBe('exten => 203,1,Gosub(call-user,202,1(${ARG1}))')
  expect(forwardedTo('700')[0]).toBe('exten => 203,1,Goto(queue-sales,s,1)')
})

test('a trunk with an account registers and identifies itself', () => {
  const trunk = {
    ...demo.trunks[0],
    name: 'carrier',
    host: 'sip.example.com',
    port: 5060,
    username: '+6129000',
    secret: 'p;ss;word',
    registers: true,
  }
  const file = fileOf(PbxDocument.parse({ name: 'x', trunks: [trunk] }), 'pjsip.conf')
  expect(file).toContain('client_uri = sip:+6129000@sip.example.com:5060')
  expect(file).toContain('password = p\\;ss\\;word')
})

describe('no value of a document can become configuration', () => {
  /** What stands before the value on each line: it must not depend on any free text. */
  const structure = (text: string) =>
    text.split('\n').map((line) => line.replace(/^(\w+ =>?|\w+ => \d+,).*$/, '$1'))

  const freeText = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc.constantFrom(
      'x]\n[201',
      'a;b',
      ';--',
      '"x" <9>',
      '${SHELL(id)}',
      'a,b|c',
      '#include "x"',
      'x\\',
      '> y',
      '=> z',
      '[201]',
    ),
  )

  test('a user’s name', () => {
    const files = ['pjsip.conf', 'voicemail.conf', 'queues.conf', 'extensions.conf']
    fc.assert(
      fc.property(freeText, (name) => {
        const user = PbxUser.safeParse({ ...demo.users[0], name })
        fc.pre(user.success)
        const users = [user.data as PbxUser, ...demo.users.slice(1)]
        for (const file of files) {
          const text = fileOf({ ...demo, users }, file)
          const sane = (t: string) =>
            structure(t).map((l) => (l.startsWith('PBX_CONFIG_REV') ? '' : l))
          expect(sane(text)).toEqual(sane(fileOf(demo, file)))
          expect(text).not.toMatch(/(?<!\\);/)
        }
      }),
    )
  })

  test('a parameter of a component', () => {
    fc.assert(
      fc.property(freeText, (value) => {
        // Lone halves of surrogate pairs have no encoding; the schema's JSON can carry them, UTF-8 cannot.
        fc.pre(value.isWellFormed())
        expect(plain(value)).toMatch(/^[\w.~%-]*$/)
        expect(decodeURIComponent(plain(value))).toBe(value)
      }),
    )
  })

  test('a line break that got past every schema stops the generation', () => {
    expect(() => confValue('a\nb')).toThrow('line break')
  })
})
