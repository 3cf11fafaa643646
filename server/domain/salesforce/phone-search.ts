/**
 * Whose number it is: the queries that find candidates. Salesforce keeps numbers as people typed them, and its search
 * splits words at punctuation, so that no query finds them all and some find others: `same-number.ts` decides.
 */
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js'

export type PersonKind = 'Contact' | 'Lead'
export const personKinds = ['Contact', 'Lead'] as const satisfies readonly PersonKind[]

/** A number that can be looked up. */
export interface SearchedNumber {
  /** Null: the country is not known. */
  readonly e164: string | null
  readonly country: CountryCode | null
  /** Those of the E.164 number; where it is not known, those that the PBX had. */
  readonly digits: string
  /** Without country code and trunk prefix, where that is known; else without leading zeros. */
  readonly significant: string
  /** As it may stand in a record, most exact first. */
  readonly forms: readonly string[]
}

const phoneFields: Readonly<Record<PersonKind, readonly string[]>> = {
  Contact: ['Phone', 'MobilePhone', 'HomePhone', 'OtherPhone', 'AssistantPhone'],
  Lead: ['Phone', 'MobilePhone'],
}

/** Shorter ones are extensions and services: half of all records would end with them. */
export const leastDigits = 7

/** So that an answer stays within the 64 KiB of it that are read. */
export const mostRecords = 50

/** Null: nothing that a person could be found by. `e164` where it is known, `raw` as the PBX had it. */
export function searchedNumber(e164: string | null, raw: string | null): SearchedNumber | null {
  const number = e164 === null ? unknownNumber(raw ?? '') : knownNumber(e164)
  return number === null || number.significant.length < leastDigits ? null : number
}

function knownNumber(text: string): SearchedNumber | null {
  const parsed = parsePhoneNumberFromString(text)
  if (parsed === undefined) return null
  const national = parsed.formatNational()
  const digits = digitsOf(parsed.number)
  return {
    e164: parsed.number,
    country: parsed.country ?? null,
    digits,
    significant: parsed.nationalNumber,
    forms: [
      ...new Set([
        parsed.number,
        digits,
        `00${digits}`,
        digitsOf(national),
        national,
        parsed.formatInternational(),
        parsed.nationalNumber,
      ]),
    ],
  }
}

/** A name of a SIP user may have digits too. */
function unknownNumber(raw: string): SearchedNumber | null {
  if (/\p{L}/u.test(raw)) return null
  const digits = digitsOf(raw)
  return {
    e164: null,
    country: null,
    digits,
    significant: withoutZeros(digits),
    forms: [digits],
  }
}

export const digitsOf = (text: string) => text.replaceAll(/\D/g, '')
export const withoutZeros = (digits: string) => digits.replace(/^0+/, '')

/** SOSL: every form at once, in all fields that hold numbers. */
export function soslOf({ forms }: SearchedNumber): string {
  const terms = forms.map((form) => `"${form.replaceAll(/[?&|!{}[\]()^~*:\\"'+-]/g, '\\$&')}"`)
  const returning = (kind: PersonKind, more = '') =>
    `${kind}(Id, OwnerId, LastModifiedDate, ${phoneFields[kind].join(', ')}${more} LIMIT ${mostRecords})`
  return `FIND {${terms.join(' OR ')}} IN PHONE FIELDS RETURNING ${returning('Contact')}, ${returning('Lead', ' WHERE IsConverted = false')}`
}

/** SOQL: the last digits in their order, whatever stands between and behind them. */
export function soqlOf(kind: PersonKind, { significant }: SearchedNumber): string {
  const pattern = `%${[...significant.slice(-leastDigits)].join('%')}%`
  const fields = phoneFields[kind]
  const alike = fields.map((field) => `${field} LIKE '${pattern}'`).join(' OR ')
  const open = kind === 'Lead' ? ' AND IsConverted = false' : ''
  return `SELECT Id, OwnerId, LastModifiedDate, ${fields.join(', ')} FROM ${kind} WHERE (${alike})${open} LIMIT ${mostRecords}`
}
