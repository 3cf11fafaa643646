import { z } from 'zod'
import { nearestName } from '#contracts/nearest-name.ts'
import { patternProblem } from '#contracts/webhook/time-pattern.ts'
import { patternMeant } from '#contracts/webhook/time-pattern-meant.ts'

const names = ['iso8601', 'unix', 'unix_ms'] as const
type Name = (typeof names)[number]

const mostLetters = 100

/** What others call them. `ms` would be a pattern, of minute and second. */
const otherNames: readonly (readonly [RegExp, Name])[] = [
  [/^(?:c|[\w:. ()-]*(?:iso|rfc[ _-]?3339|atom|w3c)[\w:. ()-]*)$/i, 'iso8601'],
  [/^(?:ms|millis\w*|(?:unix|epoch|time)[\w -]*(?:ms|millis\w*))$/i, 'unix_ms'],
  [/^(?:seconds|(?:unix|epoch|timestamp)[\w -]*)$/i, 'unix'],
  [/^(?:x|Q|%Q)$/, 'unix_ms'],
  [/^(?:X|U|%s)$/, 'unix'],
]

function nameMeant(format: string): Name | null {
  const other = otherNames.find(([spelling]) => spelling.test(format))
  if (other !== undefined) return other[1]
  const nearest = nearestName(format, names)
  return names.find((name) => name === nearest) ?? null
}

/** Null: the format is right. */
function problemOf(format: string): string | null {
  if (names.some((name) => name === format)) return null
  const name = nameMeant(format)
  if (name !== null) return `must be ${names.join(', ')} or a pattern: did you mean ${name}?`
  const wrong = patternProblem(format)
  if (wrong === null) return null
  const meant = patternMeant(format)
  return meant === null || meant.length > mostLetters
    ? `must be ${names.join(', ')} or a pattern such as yyyy-MM-dd'T'HH:mm:ss: ${wrong}`
    : `${wrong}: did you mean "${meant}"?`
}

/** Held to what luxon, which renders it, gives of each token. */
export const TimeFormat = z
  .string()
  .min(1)
  .max(mostLetters)
  .superRefine((format, context) => {
    // What is too short or too long has been told already.
    const fits = format.length >= 1 && format.length <= mostLetters
    const message = fits ? problemOf(format) : null
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
  .default('iso8601')
  .meta({
    description:
      'Of all times: iso8601 (with milliseconds), unix (seconds), unix_ms, or a pattern of tokens such as yyyy-MM-dd HH:mm:ss.',
  })
