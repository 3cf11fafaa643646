/** Whether what somebody typed into a phone field is the number that is looked for, however it is written. */
import { parsePhoneNumberFromString } from 'libphonenumber-js'
import {
  digitsOf,
  leastDigits,
  type SearchedNumber,
  withoutZeros,
} from '#server/domain/salesforce/phone-search.ts'

/** `possible`: one of the two lacks its beginning, and in another area it is the number of somebody else. */
export type Likeness = 'same' | 'possible' | 'other'

/** The best of the numbers in the fields. */
export function likenessOf(fields: readonly string[], number: SearchedNumber): Likeness {
  const compare = number.e164 === null ? toUnknown : toKnown
  const end = number.significant.slice(-leastDigits)
  const all = fields
    .flatMap(numbersIn)
    // Reading a number takes 40 to 100 µs, and most of what the queries find is none.
    .filter((text) => digitsOf(text).includes(end))
    .map((text) => compare(text, number))
  return (['same', 'possible'] as const).find((one) => all.includes(one)) ?? 'other'
}

/** What stands before a slash and is too short for a number is the area code of what follows. */
function numbersIn(field: string): readonly string[] {
  return field.split(/[;,]|\bor\b/i).flatMap((text) => {
    const parts = text.split('/')
    return digitsOf(parts[0] ?? '').length < leastDigits ? [text] : parts
  })
}

const withPlus = (text: string) => text.replace(/^\s*00/, '+')

function toKnown(text: string, { e164, country, digits: own, significant }: SearchedNumber) {
  const home = country ?? undefined
  const readings = new Set([text, withPlus(text)])
  const read = [...readings].map((one) => parsePhoneNumberFromString(one, home)?.number)
  if (read.some((one) => one === e164) || digitsOf(text) === own) return 'same'
  return isEnd(text, significant) ? 'possible' : 'other'
}

/** A trunk prefix or a country code says that the number is whole. */
function isEnd(text: string, significant: string): boolean {
  const digits = digitsOf(text)
  const whole = text.includes('+') || digits.startsWith('0')
  return !whole && digits.length >= leastDigits && significant.endsWith(digits)
}

function toUnknown(text: string, { digits: own, significant }: SearchedNumber) {
  const digits = digitsOf(text)
  // Without a country only what has its country code is read.
  const national = parsePhoneNumberFromString(withPlus(text))?.nationalNumber ?? digits
  const same = [digits, national].some((one) => withoutZeros(one) === significant)
  if (same) return 'same'
  const localCall = own === significant && national.endsWith(significant)
  return localCall || isEnd(text, significant) ? 'possible' : 'other'
}
