import { expect, test } from 'vitest'
import type { z } from 'zod'
import { ServiceDraft } from '#contracts/service.ts'
import { WebhookDraft } from '#contracts/webhook/webhook.ts'
import { plainWords } from '#server/domain/plain-words.ts'
import { fieldErrors } from '#server/http/field-errors.ts'

function wrong(schema: z.ZodType, value: unknown): readonly string[] {
  const { error } = schema.safeParse(value, { error: plainWords })
  if (error === undefined) throw new Error('nothing is wrong with it')
  return fieldErrors(schema, value, error).map((e) => `${e.field}: ${e.code}: ${e.message}`)
}

const webhook = { name: 'CRM', url: 'https://crm.example/', triggers: ['call.ended'] }

test('an unknown field is named, with the one that was probably meant', () => {
  expect(wrong(WebhookDraft, { ...webhook, trigers: [] })).toEqual([
    'trigers: unknown_field: did you mean "triggers"?',
  ])
  expect(wrong(WebhookDraft, { ...webhook, colour: 'red' })).toEqual([
    'colour: unknown_field: there is no such field',
  ])
})

test('fields below lists, unions and nullable objects are named by their path', () => {
  const connection = {
    kind: 'asterisk_attached',
    cel_path: '/var/log/cel.csv',
    ami: { host: 'h', prot: 1, username: 'u', secret: 's' },
  }
  expect(wrong(ServiceDraft, { name: 'pbx', friendly_name: 'PBX', connection })).toEqual([
    'connection.ami.prot: unknown_field: did you mean "port"?',
  ])
  const [unknownTrigger] = wrong(WebhookDraft, { ...webhook, triggers: ['call.ended', 'nope'] })
  expect(unknownTrigger).toMatch(/^triggers\[1\]: not_allowed: must be one of .*call\.ended/)
})

test('missing, mistyped, malformed and out of range are told apart', () => {
  const codes = (value: object) =>
    wrong(WebhookDraft, value).map((line) => line.split(': ').slice(0, 2).join(' '))
  expect(codes({ name: 'x' })).toEqual(['url required', 'triggers required'])
  expect(codes({ ...webhook, retries: '3' })).toEqual(['retries wrong_type'])
  expect(codes({ ...webhook, url: 'nope' })).toEqual(['url wrong_format'])
  expect(codes({ ...webhook, url: 'https://me:pw@crm.example/' })).toEqual(['url invalid'])
  expect(codes({ ...webhook, retries: 51 })).toEqual(['retries too_large'])
  expect(codes({ ...webhook, triggers: [] })).toEqual(['triggers too_small'])
  expect(codes({ ...webhook, order: 'any' })).toEqual(['order not_allowed'])
})

test('a body that is no object is told as the body', () => {
  expect(wrong(WebhookDraft, [1])).toEqual([expect.stringMatching(/^: wrong_type: /)])
})

test('the list of errors is bounded', () => {
  const flood = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`field${i}`, i]))
  expect(wrong(WebhookDraft, { ...webhook, ...flood })).toHaveLength(50)
})
