/**
 * The keys under which a call is found by the phone numbers of its two ends. A key is a number in E.164 where one can
 * be made of it, else what was dialled without its punctuation. People type a number as it stands on a letter, a PBX
 * writes it as its carrier sends it: both sides are brought to these keys.
 */
import { toE164 } from '#server/domain/events/phone-number.ts'

interface Party {
  /** In E.164, or null. */
  readonly number: string | null
  /** As the PBX had it. */
  readonly raw: string | null
}

/** Extensions are shorter than this, and an outbound number often ends with the extension of its user. */
const leastPublicDigits = 7

/** The keys of the caller and of the dialled number of a call; each once. */
export function numberKeysOf(call: {
  readonly source: Party
  readonly destination: Party
}): readonly string[] {
  return [...new Set([...keysOfParty(call.source), ...keysOfParty(call.destination)])]
}

function keysOfParty({ number, raw }: Party): readonly string[] {
  const bare = raw === null ? null : bareNumber(raw)
  if (number === null) return bare === null ? [] : [bare]
  return bare === null || spells(bare, number) ? [number] : [number, bare]
}

/** Whether `bare` is only another spelling of `number`: `0298765432` of `+61298765432`. */
function spells(bare: string, number: string): boolean {
  const digits = bare.replace(/^[+0]+/, '')
  return digits.length >= leastPublicDigits && number.endsWith(digits)
}

/** Null: there is no digit in it. */
function bareNumber(text: string): string | null {
  const bare = text
    .replace(/^(tel|sips?):/i, '')
    .replaceAll(/[\s().\-/\u00a0\u2010-\u2015]/g, '')
    .toLowerCase()
  return /\d/.test(bare) ? bare : null
}

/**
 * The keys that a text may stand for which a person typed: as it is, and as a number of each of `countries` (ISO 3166,
 * two letters). None where there is no digit in it.
 */
export function searchKeysOf(text: string, countries: readonly string[]): readonly string[] {
  const bare = bareNumber(text)
  if (bare === null) return []
  const readings = [null, ...countries].map((country) => toE164(bare, country))
  // Without its plus sign, as logs and links have it.
  if (/^\d/.test(bare)) readings.push(toE164(`+${bare}`, null))
  return [...new Set([bare, ...readings.filter((key) => key !== null)])]
}
