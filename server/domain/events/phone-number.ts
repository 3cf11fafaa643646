import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js'

/** The same two numbers come with each event of a call, and parsing one takes 40 to 100 µs. */
const known = new Map<string, string | null>()
const mostKnown = 2_000
/** No number is longer; what a caller invents must not fill the memory. */
const longestKnown = 40

/**
 * A number as dialled or received → E.164, or null where it is none (an extension, a short code, a national number
 * without a known country). `00` is taken as the international prefix where no country is set.
 */
export function toE164(raw: string | null, country: string | null): string | null {
  if (raw === null) return null
  if (raw.length > longestKnown) return parsed(raw, country)
  const key = `${country} ${raw}`
  const found = known.get(key)
  if (found !== undefined) return found
  const number = parsed(raw, country)
  if (known.size >= mostKnown) known.clear()
  known.set(key, number)
  return number
}

function parsed(raw: string, country: string | null): string | null {
  const supported: CountryCode | undefined =
    country !== null && isSupportedCountry(country) ? country : undefined
  const text = supported === undefined ? raw.replace(/^00/, '+') : raw
  const number = parsePhoneNumberFromString(text, supported)
  return number?.isValid() ? number.number : null
}
