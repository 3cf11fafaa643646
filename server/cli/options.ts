import type { z } from 'zod'
import { plainWords } from '#server/domain/plain-words.ts'
import { fieldErrors } from '#server/http/field-errors.ts'
import { StartError } from '#server/start-error.ts'

/**
 * Options by the schema of the API, so that both refuse the same, in the same words. `fields` has the field of each
 * option that is called otherwise there. Throws StartError `usage`.
 */
export function optionsBy<S extends z.ZodType>(
  schema: S,
  given: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, string>> = {},
): z.output<S> {
  const values: Record<string, unknown> = {}
  for (const [option, value] of Object.entries(given)) values[fields[option] ?? option] = value
  const parsed = schema.safeParse(values, { error: plainWords })
  if (parsed.success) return parsed.data
  const says = fieldErrors(schema, values, parsed.error).map(({ field, message }) => {
    const option = Object.keys(fields).find((name) => fields[name] === field) ?? field
    return `--${option}: ${message}`
  })
  throw new StartError('usage', `${says.join('; ')}.`)
}
