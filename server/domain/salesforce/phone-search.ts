/**
 * Whose number it is: queries that find candidates, and the comparison that decides. Salesforce keeps numbers as people
 * typed them, and its search splits words at punctuation, so that no query finds them all and some find others.
 */
import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js'

export type PersonKind = 'Contact' | 'Lead'

/** A Contact or Lead as the queries return it. */
export interface Person {
  readonly kind: PersonKind
  readonly id: string
  readonly ownerId: string | null
  /** Epoch milliseconds. */
  readonly changedAt: number
  readonly phones: readonly string[]
}

/** A number that can be looked up. */
export interface SearchedNumber {
  /** Null: the country is not known. */
  readonly e164: string | null
  /** Digits of the number without country code and trunk prefix, where that is known. */
  readonly significant: string
  readonly country: string | null
  /** As it may stand in a record, most exact first. */
  readonly forms: readonly string[]
}

const phoneFields: Readonly<Record<PersonKind, readonly string[]>> = {
  Contact: ['Phone', 'MobilePhone', 'HomePhone', 'OtherPhone', 'AssistantPhone'],
  Lead: ['Phone', 'MobilePhone'],
}

/** Shorter ones are extensions and services: half of all records would end with them. */
const leastDigits = 7

/** Null: nothing that a person could be found by. `e164` where it is known, `raw` as the PBX had it. */
export function searchedNumber(e164: string | null, raw: string | null): SearchedNumber | null {
  const parsed = e164 === null ? undefined : parsePhoneNumberFromString(e164)
  if (parsed !== undefined) {
    const national = parsed.formatNational()
    return {
      e164: parsed.number,
      significant: parsed.nationalNumber,
      country: parsed.country ?? null,
      forms: [
        ...new Set([
          parsed.number,
          parsed.number.slice(1),
          digitsOf(national),
          national,
          parsed.formatInternational(),
          parsed.nationalNumber,
        ]),
      ],
    }
  }
  const digits = digitsOf(raw ?? '')
  return digits.length < leastDigits
    ? null
    : { e164: null, significant: digits.replace(/^0+/, ''), country: null, forms: [digits] }
}

const digitsOf = (text: string) => text.replaceAll(/\D/g, '')

/** SOSL: every form at once, in all fields that hold numbers. */
export function soslOf({ forms }: SearchedNumber): string {
  const terms = forms.map((form) => `"${form.replaceAll(/[?&|!{}[\]()^~*:\\"'+-]/g, '\\$&')}"`)
  const returning = (kind: PersonKind, more = '') =>
    `${kind}(Id, OwnerId, LastModifiedDate, ${phoneFields[kind].join(', ')}${more} LIMIT 50)`
  return `FIND {${terms.join(' OR ')}} IN PHONE FIELDS RETURNING ${returning('Contact')}, ${returning('Lead', ' WHERE IsConverted = false')}`
}

/** SOQL: the last digits in their order, whatever stands between them. */
export function soqlOf(kind: PersonKind, { significant }: SearchedNumber): string {
  const pattern = `%${[...significant.slice(-leastDigits)].join('%')}`
  const fields = phoneFields[kind]
  const alike = fields.map((field) => `${field} LIKE '${pattern}'`).join(' OR ')
  const open = kind === 'Lead' ? ' AND IsConverted = false' : ''
  return `SELECT Id, OwnerId, LastModifiedDate, ${fields.join(', ')} FROM ${kind} WHERE (${alike})${open} LIMIT 50`
}

/** Whether one of the person's numbers is the one that is looked for, however it is written. */
export function hasNumber({ phones }: Person, number: SearchedNumber): boolean {
  return phones.some((phone) => sameNumber(phone, number))
}

/** A number that is whole must be the same one; of one that lacks its area code the digits that it has. */
function sameNumber(phone: string, { e164, significant, country }: SearchedNumber): boolean {
  const home = country !== null && isSupportedCountry(country) ? country : undefined
  const read = parsePhoneNumberFromString(phone, home)
  const whole = read?.isValid() === true || /^\s*(\+|00)/.test(phone)
  if (whole && e164 !== null) return read?.number === e164
  const digits = digitsOf(phone).replace(/^0+/, '')
  return (
    digits.length >= leastDigits && (digits.endsWith(significant) || significant.endsWith(digits))
  )
}

/** What was found: nobody, one, or several between whom the setting did not decide. */
export interface FoundPeople {
  readonly chosen: Person | null
  readonly all: readonly Person[]
}

/** Never a guess: several people with the number are told apart by what the administrator chose, or not at all. */
export function choosePerson(
  people: readonly Person[],
  several: 'none' | 'most_recent' | 'owner',
  ownerId: string | null,
): FoundPeople {
  const [first] = people
  if (people.length <= 1) return { chosen: first ?? null, all: people }
  switch (several) {
    case 'none':
      return { chosen: null, all: people }
    case 'most_recent':
      return {
        chosen: people.toSorted((a, b) => b.changedAt - a.changedAt)[0] ?? null,
        all: people,
      }
    case 'owner': {
      const own = people.filter((person) => ownerId !== null && person.ownerId === ownerId)
      return { chosen: own.length === 1 ? (own[0] ?? null) : null, all: people }
    }
  }
}
