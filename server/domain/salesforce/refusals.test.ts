import { describe, expect, test } from 'vitest'
import { refusalText, upsertRefusal } from '#server/domain/salesforce/refusals.ts'

const passes = / That passes by itself\.$/
const lasts = / That lasts until somebody mends it in Salesforce or in the settings\.$/
const field = 'Offhook_Call_Id__c'

const refused = (
  ...errors: readonly { statusCode: string; message: string; fields?: string[] }[]
) =>
  upsertRefusal(
    [{ success: false, errors: errors.map((error) => ({ fields: [], ...error })) }],
    field,
  )

describe('a Task', () => {
  test.each(['UNABLE_TO_LOCK_ROW', 'REQUEST_LIMIT_EXCEEDED', 'SERVER_UNAVAILABLE'])(
    '%s passes',
    (statusCode) => {
      expect(refused({ statusCode, message: 'x' })).toMatch(passes)
    },
  )

  test.each([
    'INVALID_FIELD',
    'REQUIRED_FIELD_MISSING',
    'STRING_TOO_LONG',
    'FIELD_CUSTOM_VALIDATION_EXCEPTION',
  ])('%s lasts', (statusCode) => {
    expect(refused({ statusCode, message: 'x' })).toMatch(lasts)
  })

  test('of several, one that lasts is enough', () => {
    const lock = { statusCode: 'UNABLE_TO_LOCK_ROW', message: 'x' }
    const rule = {
      statusCode: 'FIELD_CUSTOM_VALIDATION_EXCEPTION',
      message: 'No.',
      fields: ['A', 'B'],
    }
    expect(refused(lock, rule)).toMatch(
      /^UNABLE_TO_LOCK_ROW: x; FIELD_CUSTOM_VALIDATION_EXCEPTION \(A, B\): No\. That lasts/,
    )
  })

  test('nothing is said of a code that is not known', () => {
    expect(refused({ statusCode: 'NEW_CODE', message: 'what' })).toBe('NEW_CODE: what.')
  })

  test('a duplicate of the external id is a race, of another field it is none', () => {
    const statusCode = 'DUPLICATE_VALUE'
    const message = (name: string) =>
      `duplicate value found: ${name} duplicates value on record with id: 00T1`
    expect(refused({ statusCode, message: message(field) })).toMatch(passes)
    expect(refused({ statusCode, message: message('Other__c') })).toMatch(/: 00T1\.$/)
  })

  test('without a reason says so', () => {
    expect(refused()).toBe('no reason is given.')
  })

  test('that was taken has none', () => {
    expect(upsertRefusal([{ success: true, errors: [] }], field)).toBeNull()
  })
})

test.each([
  ['[{"errorCode":"SERVER_UNAVAILABLE","message":"later"}]', passes],
  ['[{"errorCode":"INVALID_TYPE","message":"sObject type Lead is not supported"}]', lasts],
  ['{"error":"invalid_client","error_description":"nope"}', /^invalid_client: nope$/],
])('a request: %s', (body, said) => {
  expect(refusalText(body)).toMatch(said)
})

test.each([null, '', '<html>', '[]', '{}'])('%j says nothing', (body) => {
  expect(refusalText(body)).toBeNull()
})
