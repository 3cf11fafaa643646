import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js'

/**
 * A number as dialled or received → E.164, or null where it is none (an extension, a short code, a national number
 * without a known country). `00` is taken as the international prefix where no country is set.
 */
export function toE164(raw: string | null, country: string | null): string | null {
  if (raw === null) return null
  const known: CountryCode | undefined =
    country !== null && isSupportedCountry(country) ? country : undefined
  const text = known === undefined ? raw.replace(/^00/, '+') : raw
  const number = parsePhoneNumberFromString(text, known)
  return number?.isValid() ? number.number : null
}
