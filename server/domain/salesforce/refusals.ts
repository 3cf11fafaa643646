/** What Salesforce refused something for, in its own words, and whether that passes. */
import { z } from 'zod'
import { jsonOrNull } from '#server/domain/json.ts'
import type { UpsertAnswer } from '#server/domain/salesforce/answers.ts'

/** Of a request `[{errorCode, message}]`, of the token endpoint `{error, error_description}`. */
const Refusal = z.union([
  z.array(z.object({ errorCode: z.string(), message: z.string() })).min(1),
  z.object({ error: z.string(), error_description: z.string().default('') }),
])

/** StatusCode and ExceptionCode in "Core Data Types Used in API Calls" of the SOAP API Developer Guide. */
const passing: ReadonlySet<string> = new Set([
  'API_CURRENTLY_DISABLED',
  'QUERY_TIMEOUT',
  'REQUEST_LIMIT_EXCEEDED',
  'REQUEST_RUNNING_TOO_LONG',
  'SERVER_UNAVAILABLE',
  'UNABLE_TO_LOCK_ROW',
])

/** Those of the same table that are about the record, the settings or what the user may do. */
const lasting: ReadonlySet<string> = new Set([
  'API_DISABLED_FOR_ORG',
  'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
  'ENTITY_IS_DELETED',
  'FIELD_CUSTOM_VALIDATION_EXCEPTION',
  'FIELD_FILTER_VALIDATION_EXCEPTION',
  'FIELD_INTEGRITY_EXCEPTION',
  'INACTIVE_OWNER_OR_USER',
  'INSUFFICIENT_ACCESS',
  'INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY',
  'INSUFFICIENT_ACCESS_OR_READONLY',
  'INVALID_CROSS_REFERENCE_KEY',
  'INVALID_FIELD',
  'INVALID_FIELD_FOR_INSERT_UPDATE',
  'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
  'INVALID_TYPE',
  'MALFORMED_ID',
  'MALFORMED_QUERY',
  'MALFORMED_SEARCH',
  'NUMBER_OUTSIDE_VALID_RANGE',
  'REQUIRED_FIELD_MISSING',
  'STORAGE_LIMIT_EXCEEDED',
  'STRING_TOO_LONG',
])

const passes = 'That passes by itself.'
const lasts = 'That lasts until somebody mends it in Salesforce or in the settings.'

interface Failure {
  readonly code: string
  /** With its code. */
  readonly text: string
  readonly passes: boolean
}

/** Nothing is said of codes that are not known: a wrong word of comfort costs more than none. */
function sentenceOf(failures: readonly Failure[]): string {
  const said = shown(failures.map(({ text }) => text).join('; ')).replace(
    /[.…]?$/,
    (end) => end || '.',
  )
  if (failures.some(({ code }) => lasting.has(code))) return `${said} ${lasts}`
  return failures.every((one) => one.passes) ? `${said} ${passes}` : said
}

/** `…` tells that what stands before it may be the beginning of a secret. */
function shown(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}

/** What Salesforce says of a refusal, for people; null: nothing that could be read. */
export function refusalText(body: string | null): string | null {
  const refusal = Refusal.safeParse(jsonOrNull(body))
  if (!refusal.success) return null
  if (!Array.isArray(refusal.data)) {
    return shown(`${refusal.data.error}: ${refusal.data.error_description}`)
  }
  return sentenceOf(
    refusal.data.map(({ errorCode: code, message }) => ({
      code,
      text: `${code}: ${message}`,
      passes: passing.has(code),
    })),
  )
}

/** What an upsert was refused for, with the fields; null: it was not. */
export function upsertRefusal(
  answer: z.infer<typeof UpsertAnswer>,
  externalIdField: string,
): string | null {
  const [result] = answer
  if (result === undefined || result.success) return null
  if (result.errors.length === 0) return 'no reason is given.'
  return sentenceOf(
    result.errors.map(({ statusCode: code, message, fields }) => ({
      code,
      text: `${fields.length === 0 ? code : `${code} (${fields.join(', ')})`}: ${message}`,
      passes: passing.has(code) || isRace(code, message, externalIdField),
    })),
  )
}

/**
 * Two upserts of one external id at the same time: the one that comes second is refused instead of changing the record
 * (Salesforce Help 000383480). Another unique field can be the reason as well, and then it lasts.
 */
const isRace = (code: string, message: string, externalIdField: string) =>
  code === 'DUPLICATE_VALUE' && message.includes(externalIdField)
