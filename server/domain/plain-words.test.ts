import { expect, test } from 'vitest'
import { z } from 'zod'
import { api } from '#contracts/api.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import type { Route } from '#contracts/route.ts'
import { ServiceDraft } from '#contracts/service.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { plainWords } from '#server/domain/plain-words.ts'

function said(schema: z.ZodType, value: unknown): string[] {
  const { error } = schema.safeParse(value, { error: plainWords })
  return (error?.issues ?? []).map(({ message }) => message)
}

test.each([
  [z.string(), 1, 'must be a text'],
  [z.object({ a: z.array(z.string()) }), {}, 'is missing; it must be a list'],
  [z.int(), 1.5, 'must be a whole number'],
  [z.boolean(), 'yes', 'must be true or false'],
  [z.literal('on'), 'off', 'must be on'],
  [z.enum(['get', 'post']), 'psot', 'did you mean post? It must be one of get, post'],
  [z.enum(['get', 'post']), 'x', 'must be one of get, post'],
  [z.url(), 'x', 'must be a URL, such as https://crm.example/hook'],
  [z.string().min(1), '', 'must have at least 1 character'],
  [z.array(z.int()).max(2), [1, 2, 3], 'must have at most 2 items'],
  [z.int().min(1), 0, 'must be at least 1'],
  [z.number().lt(5), 5, 'must be less than 5'],
  [
    z.string().regex(/^a/, 'must begin with a').or(z.string().regex(/^1/, 'must begin with 1')),
    'b',
    'must begin with a, or must begin with 1',
  ],
  [z.record(z.string().regex(/^k/, 'must begin with k'), z.int()), { a: 1 }, 'must begin with k'],
  [z.string().regex(/^a/, 'must begin with a'), 'b', 'must begin with a'],
])('%#', (schema, value, message) => {
  expect(said(schema, value)).toEqual([message])
})

test('the kind of a union is told with what there is', () => {
  const wrong = { name: 'a', friendly_name: 'A', connection: { kind: 'asterisk_manged' } }
  expect(said(ServiceDraft, wrong)).toEqual([
    expect.stringMatching(/^did you mean asterisk_managed\? It must be one of asterisk_managed, /),
  ])
})

/** A value of the wrong kind at every place of an object that is reached from `value`. */
function* spoiled(value: unknown): Generator<unknown> {
  for (const wrong of [undefined, null, 0, -1, 1e9, 'x'.repeat(3000), '', [], {}, true]) yield wrong
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    for (const wrong of spoiled(inner)) {
      yield Array.isArray(value) ? [wrong] : { ...value, [key]: wrong }
    }
  }
}

const user = { uuid: '6a1f8f0e-0f52-4b0e-9df0-0f4f6a1b2c3d', extension_number: '201', name: 'A' }
const document = {
  name: 'pbx',
  users: [{ ...user, secret: 'long-enough', contact: { host: 'h', port: 1 }, forward_to: '202' }],
  numbers: [{ did: '0290001001', destination: { type: 'user', extension_number: '201' } }],
  ivrs: [{ name: 'menu', options: { 1: { type: 'hangup' } } }],
  queues: [{ name: 'sales', members: ['201'] }],
}
const webhook = { name: 'CRM', url: 'https://crm.example/', triggers: ['call.ended'], retries: 3 }

test('whatever is sent, no message is in the words of Zod', () => {
  const bodies = Object.values(api).map((route: Route) => route.body)
  const schemas: readonly (readonly [z.ZodType, unknown])[] = [
    [PbxDocument, document],
    [WebhookDraft, webhook],
    ...bodies.map(
      (body) => [body, { name: 'a', connection: { kind: 'asterisk_attached' } }] as const,
    ),
  ]
  for (const [schema, value] of schemas) {
    for (const wrong of spoiled(value)) {
      // Of unknown fields field-errors.ts tells, with the nearest name.
      const messages = said(schema, wrong).filter((m) => !m.startsWith('Unrecognized key'))
      for (const message of messages) expect(message).not.toMatch(/^(Invalid|Too |Unrec)/)
    }
  }
})
