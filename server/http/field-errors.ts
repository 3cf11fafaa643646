import { z } from 'zod'
import { fieldPath } from '#contracts/field-path.ts'
import { nearestName } from '#contracts/nearest-name.ts'
import type { FieldError, FieldErrorCode } from '#contracts/problem.ts'

type Path = readonly PropertyKey[]

/** A reply lists at most so many wrong fields: a body of 1 MiB could hold a hundred thousand. */
const most = 50

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<PropertyKey, unknown>)[step]
  }
  return at
}

/** The schema of what comes in, below wrappers such as optional, nullable, default and transform. */
function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPipe) return bare(schema.in as z.ZodType)
  const wrapped =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault
  return wrapped ? bare(schema.unwrap() as z.ZodType) : schema
}

/** Names of the fields that the objects at `path` can have; none where the schema is of another kind. */
function fieldNames(schema: z.ZodType, path: Path): readonly string[] {
  const here = bare(schema)
  const [step, ...rest] = path
  if (here instanceof z.ZodUnion) {
    return here.options.flatMap((option) => fieldNames(option as z.ZodType, path))
  }
  if (here instanceof z.ZodArray && typeof step === 'number') {
    return fieldNames(here.element as z.ZodType, rest)
  }
  if (!(here instanceof z.ZodObject)) return []
  if (step === undefined) return Object.keys(here.shape)
  const next = here.shape[String(step)] as z.ZodType | undefined
  return next === undefined ? [] : fieldNames(next, rest)
}

const codes: Readonly<Record<string, FieldErrorCode>> = {
  invalid_type: 'wrong_type',
  invalid_value: 'not_allowed',
  invalid_format: 'wrong_format',
  too_small: 'too_small',
  too_big: 'too_large',
}

function unknownFields(
  schema: z.ZodType,
  path: Path,
  keys: readonly string[],
): readonly FieldError[] {
  const names = fieldNames(schema, path)
  return keys.slice(0, most).map((key) => {
    const nearest = nearestName(key, names)
    return {
      field: fieldPath([...path, key]),
      code: 'unknown_field' as const,
      message: nearest === null ? noSuchField(names) : `did you mean "${nearest}"?`,
    }
  })
}

/** So many can be read at a glance. */
const mostNamed = 8

function noSuchField(names: readonly string[]): string {
  const own = [...new Set(names)]
  const all = own.length === 0 || own.length > mostNamed ? '' : `; there are ${own.join(', ')}`
  return `there is no such field${all}`
}

/** What Zod found wrong in `value`, one entry per field, in the words of the API. */
export function fieldErrors(schema: z.ZodType, value: unknown, error: z.ZodError): FieldError[] {
  return error.issues
    .flatMap((issue): readonly FieldError[] => {
      if (issue.code === 'unrecognized_keys') return unknownFields(schema, issue.path, issue.keys)
      const missing = valueAt(value, issue.path) === undefined
      const required = missing && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
      const code = required ? 'required' : (codes[issue.code] ?? 'invalid')
      return [{ field: fieldPath(issue.path), code, message: issue.message }]
    })
    .slice(0, most)
}
