import { z } from 'zod'
import { type EventType, eventCatalogue } from '#contracts/events/catalogue.ts'

/** One value that an event can carry, as forms and the event reference list it. */
export interface EventField {
  /** Where it stands in the native event: `call.source.number`. Elements of lists end in `[]`. */
  readonly path: string
  readonly label: string
  /** Its names in the seed documents, beside the label. */
  readonly aliases: readonly string[]
  readonly description: string
  readonly type: string
  readonly unit: string | null
  readonly nullable: boolean
  readonly triggers: readonly EventType[]
}

type Mutable = Omit<EventField, 'triggers'> & { triggers: EventType[] }

function collect(schema: z.ZodType, path: string, nullable: boolean, found: Map<string, Mutable>) {
  const meta = schema.meta() ?? {}
  let inner: z.ZodType = schema
  let canBeNull = nullable
  if (inner instanceof z.ZodNullable) {
    inner = inner.unwrap() as z.ZodType
    canBeNull = true
  }
  if (inner instanceof z.ZodObject) {
    for (const [key, value] of Object.entries(inner.shape)) {
      collect(value as z.ZodType, path === '' ? key : `${path}.${key}`, canBeNull, found)
    }
    return
  }
  const own = { ...(inner.meta() ?? {}), ...meta }
  found.set(path, {
    path,
    label: own.label ?? path,
    aliases: own.aliases ?? [],
    description: own.description ?? '',
    type: typeName(inner),
    unit: own.unit ?? null,
    nullable: canBeNull,
    triggers: [],
  })
  if (inner instanceof z.ZodArray && inner.element instanceof z.ZodObject) {
    collect(inner.element, `${path}[]`, canBeNull, found)
  }
}

function typeName(schema: z.ZodType): string {
  if (schema instanceof z.ZodArray) return 'list'
  if (schema instanceof z.ZodRecord) return 'object'
  if (schema instanceof z.ZodBoolean) return 'boolean'
  if (schema instanceof z.ZodNumber) return 'integer'
  if (schema instanceof z.ZodEnum) return 'choice'
  if (schema instanceof z.ZodISODateTime) return 'time'
  return 'text'
}

/** Every field of the catalogue with the triggers that have it, in the order of first appearance. */
export function listEventFields(): readonly EventField[] {
  const all = new Map<string, Mutable>()
  for (const type of Object.keys(eventCatalogue) as EventType[]) {
    const found = new Map<string, Mutable>()
    collect(eventCatalogue[type].schema, '', false, found)
    for (const [path, field] of found) {
      const known = all.get(path)
      if (known === undefined) all.set(path, { ...field, triggers: [type] })
      else known.triggers.push(type)
    }
  }
  return [...all.values()]
}
