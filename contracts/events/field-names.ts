/** The names by which a person may choose a value of an event: its path, its label, its names in the seed documents. */
import { z } from 'zod'
import { type EventField, listEventFields } from '#contracts/events/fields.ts'
import { nearestName } from '#contracts/nearest-name.ts'

/** `Source Number`, `source_number` and `SOURCE-NUMBER` are one name. */
const plain = (name: string) =>
  name
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, ' ')
    .trim()

/** Every value that can be chosen, by its path: lists as a whole, not the elements of them. */
export const eventFields: ReadonlyMap<string, EventField> = new Map(
  listEventFields()
    .filter(({ path }) => !path.includes('[]'))
    .map((field) => [field.path, field]),
)

/** Beside those: any value that a Webhook object of the call flow passes on. */
const componentParameter = /^component\.parameters\.[a-z][a-z0-9_]{0,39}$/

/** Path by every name; labels go before the names of documents. */
const pathsByName: ReadonlyMap<string, string> = (() => {
  const paths = new Map<string, string>()
  const add = (name: string, path: string) => {
    if (!paths.has(plain(name))) paths.set(plain(name), path)
  }
  const fields = [...eventFields.values()]
  for (const { path, label } of fields) add(label, path)
  for (const { path, aliases } of fields) for (const alias of aliases) add(alias, path)
  return paths
})()

/** The native path that the name stands for; null: it names no field. */
export function fieldNamed(name: string): string | null {
  if (eventFields.has(name) || componentParameter.test(name)) return name
  return pathsByName.get(plain(name)) ?? null
}

/** What is wrong with a name that names no field. */
export function unknownField(name: string): string {
  const nearest = nearestName(name, [
    ...eventFields.keys(),
    ...[...eventFields.values()].map(({ label }) => label),
  ])
  const hint =
    nearest === null ? 'GET /api/v1/event-fields lists them all' : `did you mean "${nearest}"?`
  return `there is no field "${name.slice(0, 100)}": ${hint}`
}

/** A field of events by any of its names; parsed, it is the native path. */
export const FieldName = z
  .string()
  .max(200)
  .superRefine((name, context) => {
    if (fieldNamed(name) === null) {
      context.addIssue({ code: 'custom', message: unknownField(name) })
    }
  })
  .overwrite((name) => fieldNamed(name) ?? name)
