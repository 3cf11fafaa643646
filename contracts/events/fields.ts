import { z } from 'zod'
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'

/** One value that an event can carry, as forms and the event reference list it. */
export interface EventField {
  /** Where it stands in the native event: `call.source.number`. Elements of lists end in `[]`. */
  readonly path: string
  /** Of those that can be chosen no two have the same. */
  readonly label: string
  /** Its names in the seed documents, beside the label: those that stand for this field and no other. */
  readonly aliases: readonly string[]
  readonly description: string
  /** `null`: it is there, and never has a value. */
  readonly type: string
  readonly unit: string | null
  readonly nullable: boolean
  readonly triggers: readonly EventType[]
}

type FieldShape = Pick<EventField, 'description' | 'type' | 'unit' | 'nullable'>

/** A field as the schema of one type of event has it. */
interface FoundField extends FieldShape {
  readonly path: string
  readonly label: string
  readonly aliases: readonly string[]
  /** Of the object that it is in; null: that has none. */
  readonly within: string | null
}

interface Place {
  readonly path: string
  readonly nullable: boolean
  readonly within: string | null
}

function collect(schema: z.ZodType, { path, nullable, within }: Place, found: FoundField[]): void {
  const inner = schema instanceof z.ZodNullable ? (schema.unwrap() as z.ZodType) : schema
  const meta = { ...(inner.meta() ?? {}), ...(schema.meta() ?? {}) }
  const place = { nullable: nullable || inner !== schema, within: meta.label ?? within }
  if (inner instanceof z.ZodObject) {
    collectKeys(inner, { path, ...place }, found)
    return
  }
  found.push({
    path,
    label: meta.label ?? path,
    aliases: meta.aliases ?? [],
    description: meta.description ?? '',
    type: typeName(inner),
    unit: meta.unit ?? null,
    nullable: place.nullable || inner instanceof z.ZodNull,
    within,
  })
  if (inner instanceof z.ZodArray && inner.element instanceof z.ZodObject) {
    collectKeys(inner.element, { path: `${path}[]`, nullable: false, within: null }, found)
  }
}

function collectKeys({ shape }: z.ZodObject, place: Place, found: FoundField[]): void {
  for (const [key, value] of Object.entries(shape)) {
    const path = place.path === '' ? key : `${place.path}.${key}`
    collect(value as z.ZodType, { ...place, path }, found)
  }
}

function typeName(schema: z.ZodType): string {
  if (schema instanceof z.ZodArray) return 'list'
  if (schema instanceof z.ZodRecord) return 'object'
  if (schema instanceof z.ZodBoolean) return 'boolean'
  if (schema instanceof z.ZodNumber) return 'integer'
  if (schema instanceof z.ZodEnum) return 'choice'
  if (schema instanceof z.ZodISODateTime) return 'time'
  return schema instanceof z.ZodNull ? 'null' : 'text'
}

/** What a field is to somebody who gets events of several types: null where one of them has it so. */
function shapeOfAll(shapes: readonly FieldShape[]): FieldShape {
  const nullable = shapes.some((shape) => shape.nullable)
  const telling = shapes.find(({ type }) => type !== 'null') ?? shapes[0]
  if (telling === undefined) throw new Error('a field of no type of event')
  const { description, type, unit } = telling
  return { description, type, unit, nullable }
}

interface CatalogueField extends Pick<EventField, 'path' | 'label' | 'aliases'> {
  readonly shapes: ReadonlyMap<EventType, FieldShape>
}

/** In the order of first appearance. */
const catalogueFields: readonly CatalogueField[] = (() => {
  const fields = new Map<string, FoundField & { readonly shapes: Map<EventType, FieldShape> }>()
  for (const type of eventTypes) {
    const found: FoundField[] = []
    collect(eventCatalogue[type].schema, { path: '', nullable: false, within: null }, found)
    for (const field of found) {
      const known = fields.get(field.path) ?? { ...field, shapes: new Map() }
      known.shapes.set(type, field)
      fields.set(field.path, known)
    }
  }
  return withOwnNames([...fields.values()])
})()

/**
 * Whoever comes first in the catalogue has the plain name ("Name": of the event's user); the others are told apart by
 * what they are in ("Transferred by: Name"), and have no aliases.
 */
function withOwnNames<F extends FoundField>(fields: readonly F[]): readonly F[] {
  const taken = new Set<string>()
  return fields.map((field) => {
    const { path, label, within, aliases } = field
    // In a list: not to be chosen.
    if (path.includes('[]')) return field
    const isFirst = !taken.has(label)
    taken.add(label)
    const free = aliases.filter((alias) => !taken.has(alias))
    for (const alias of free) taken.add(alias)
    return { ...field, label: isFirst ? label : `${within}: ${label}`, aliases: free }
  })
}

/** The fields that events of these types have, each as it is in any of them. */
export function listEventFields(types: Iterable<EventType> = eventTypes): readonly EventField[] {
  const wanted = [...types]
  return catalogueFields.flatMap(({ path, label, aliases, shapes }) => {
    const here = wanted.flatMap((type) => shapes.get(type) ?? [])
    if (here.length === 0) return []
    return [{ path, label, aliases, ...shapeOfAll(here), triggers: [...shapes.keys()] }]
  })
}
