// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a hostile value

import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fieldPath } from '#contracts/field-path.ts'
import { PbxDocument, type PbxDocumentInput } from '#contracts/pbx.ts'
import { outboundRouteFor } from '#contracts/pbx-references.ts'

const user = (extension: string, more: object = {}) => ({
  uuid: `5c1f0e52-6f0a-4c3e-9d57-2f6f1a3b0${extension}`,
  extension_number: extension,
  name: `User ${extension}`,
  secret: 'long-enough',
  ...more,
})

const base: PbxDocumentInput = {
  name: 'office',
  users: [user('201'), user('202', { has_voicemail: true, voicemail_pin: '1234' })],
  trunks: [{ name: 'trunk', host: 'sip.example.com' }],
  outbound_routes: [{ prefix: '0', trunk: 'trunk' }],
}

/** `path: message` of everything that is wrong with the document. */
function problems(change: object): string[] {
  const result = PbxDocument.safeParse({ ...base, ...change })
  return (result.error?.issues ?? []).map((i) => `${fieldPath(i.path)}: ${i.message}`)
}

test('a short document is a whole one: everything else has a default', () => {
  const document = PbxDocument.parse({ name: 'office' })
  expect(document).toMatchObject({
    default_ring_seconds: 20,
    users: [],
    feature_codes: { pickup: '**', voicemail: '*97' },
  })
  // Reading it back changes nothing.
  expect(PbxDocument.parse(document)).toEqual(document)
  expect(problems({})).toEqual([])
})

test('it has a JSON Schema', () => {
  expect(z.toJSONSchema(PbxDocument, { io: 'input' })).toHaveProperty('$defs.PbxUser')
})

describe('references lead somewhere, or the path and the reason are told', () => {
  const to = (destination: object) => ({ numbers: [{ did: '1001', destination }] })
  test.each<[string, object, string]>([
    [
      'user',
      to({ type: 'user', extension_number: '299' }),
      'numbers[0].destination: there is no user 299',
    ],
    ['ivr', to({ type: 'ivr', name: 'x' }), 'numbers[0].destination: there is no ivr x'],
    ['queue', to({ type: 'queue', name: 'x' }), 'numbers[0].destination: there is no queue x'],
    [
      'group',
      to({ type: 'ring_group', name: 'x' }),
      'numbers[0].destination: there is no ring group x',
    ],
    [
      'component',
      to({ type: 'component', name: 'x' }),
      'numbers[0].destination: there is no component x',
    ],
    [
      'mailbox',
      to({ type: 'voicemail', extension_number: '201' }),
      'numbers[0].destination: there is no mailbox 201',
    ],
    [
      'outside',
      to({ type: 'external', number: '1234567' }),
      'numbers[0].destination: no outbound route takes 1234567',
    ],
    [
      'member',
      { queues: [{ name: 'q', members: ['201', '299'] }] },
      'queues[0].members[1]: there is no user 299',
    ],
    [
      'trunk',
      { outbound_routes: [{ trunk: 'x' }] },
      'outbound_routes[0].trunk: there is no trunk x',
    ],
    [
      'option',
      { ivrs: [{ name: 'm', options: { 1: { type: 'user', extension_number: '299' } } }] },
      'ivrs[0].options.1: there is no user 299',
    ],
    [
      'forward',
      { users: [user('201', { forward_to: '555' })] },
      'users[0].forward_to: there is no extension 555, and no outbound route takes it',
    ],
  ])('%s', (_what, change, problem) => {
    expect(problems(change)).toEqual([problem])
  })
})

describe('nothing has two meanings', () => {
  test.each<[string, object, string]>([
    [
      'an extension',
      { queues: [{ name: 'q', members: [], extension: '201' }] },
      'queues[0].extension: the extension 201 is taken by users[0].extension_number',
    ],
    [
      'a number, written in two ways',
      {
        numbers: [
          { did: '61290001001', destination: { type: 'hangup' } },
          { did: '1001', number: '+61290001001', destination: { type: 'hangup' } },
        ],
      },
      'numbers[1].number: the number 61290001001 is taken by numbers[0].did',
    ],
    [
      'a name, but for its case',
      {
        queues: [
          { name: 'Sales', members: [] },
          { name: 'sales', members: [] },
        ],
      },
      'queues[1].name: the name sales is taken by queues[0].name',
    ],
    [
      'a feature code',
      { feature_codes: { blind_transfer: '**' } },
      'feature_codes.blind_transfer: the feature code ** is taken by feature_codes.pickup',
    ],
    [
      'a member',
      { ring_groups: [{ name: 'g', members: ['201', '201'] }] },
      'ring_groups[0].members[1]: the member 201 is taken by ring_groups[0].members[0]',
    ],
  ])('%s', (_what, change, problem) => {
    expect(problems(change)).toEqual([problem])
  })
})

describe('a call cannot run in circles', () => {
  const group = (name: string, fallback: object) => ({ name, members: ['201'], fallback })
  test('of fallbacks', () => {
    const ring_groups = [
      group('a', { type: 'ring_group', name: 'b' }),
      group('b', { type: 'component', name: 'c' }),
    ]
    const components = [{ name: 'c', next: { type: 'ring_group', name: 'a' } }]
    expect(problems({ ring_groups, components })).toEqual([
      'components[0].next: leads back to where the call comes from',
    ])
  })

  test('of forwards, also over other objects', () => {
    expect(
      problems({ users: [user('201', { forward_to: '202' }), user('202', { forward_to: '201' })] }),
    ).toEqual(['users[1].forward_to: leads back to where the call comes from'])
    const users = [user('201', { forward_to: '600' })]
    const ring_groups = [
      { ...group('g', { type: 'user', extension_number: '201' }), extension: '600' },
    ]
    expect(problems({ users, ring_groups })).toHaveLength(1)
  })

  test('but may be led back to a menu by choice', () => {
    const ivrs = [
      { name: 'a', options: { 1: { type: 'ivr', name: 'b' } } },
      { name: 'b', options: { 9: { type: 'ivr', name: 'a' } } },
    ]
    expect(problems({ ivrs })).toEqual([])
  })

  test('and two ways to one place are no circle', () => {
    const ring_groups = [
      group('a', { type: 'ring_group', name: 'c' }),
      group('b', { type: 'ring_group', name: 'c' }),
      group('c', { type: 'hangup' }),
    ]
    expect(problems({ ring_groups })).toEqual([])
  })
})

test('what belongs together is asked for together', () => {
  expect(problems({ users: [user('201', { secret: null })] })).toEqual([
    'users[0].secret: a phone that registers needs a secret',
  ])
  expect(problems({ users: [user('201', { has_voicemail: true })] })).toEqual([
    'users[0].voicemail_pin: a mailbox needs a PIN',
  ])
  expect(
    problems({ trunks: [{ name: 'trunk', host: 'h', registers: true, username: 'u' }] }),
  ).toEqual(['trunks[0].secret: user name and secret go together'])
})

test.each<[string, object]>([
  ['a line break in a name', { users: [user('201', { name: 'A\nB' })] }],
  ['a Unicode line separator in a name', { users: [user('201', { name: 'A\u2028B' })] }],
  ['a NUL in a name', { users: [user('201', { name: 'A\0B' })] }],
  ['a space in a secret', { users: [user('201', { secret: 'long enough' })] }],
  ['an expression as a queue', { queues: [{ name: '${SHELL(id)}', members: [] }] }],
  ['a reserved name', { queues: [{ name: 'General', members: [] }] }],
  ['a closing bracket in an IVR', { ivrs: [{ name: 'a]', options: { 1: { type: 'hangup' } } }] }],
  [
    'a second argument in a sound',
    { ivrs: [{ name: 'a', greeting: 'beep,x', options: { 1: { type: 'hangup' } } }] },
  ],
  [
    'a path that climbs',
    { ivrs: [{ name: 'a', greeting: '../x', options: { 1: { type: 'hangup' } } }] },
  ],
  ['letters as an option', { ivrs: [{ name: 'a', options: { i: { type: 'hangup' } } }] }],
  ['a second dial string in a forward', { users: [user('201', { forward_to: '0301&PJSIP/202' })] }],
  ['a digit as a trunk', { trunks: [{ name: '201', host: 'h' }] }],
  ['a URI as a host', { trunks: [{ name: 'trunk', host: 'h;transport=tcp' }] }],
  ['a feature code that is an extension', { feature_codes: { pickup: '20' } }],
  ['a field that nobody knows', { recordings: true }],
])('refused: %s', (_what, change) => {
  expect(problems(change)).not.toEqual([])
})

test('the longest prefix takes a number', () => {
  const outbound_routes = ['', '0', '04', '+'].map((prefix) => ({
    prefix,
    strip: 0,
    trunk: `t${prefix}`,
    recording: false,
  }))
  const trunk = (number: string) => outboundRouteFor({ outbound_routes }, number)?.trunk
  expect(['0412345', '0312345', '123', '+61', '04'].map(trunk)).toEqual([
    't04',
    't0',
    't',
    't+',
    't', // too short for 0…: that takes three digits at least
  ])
})
