/** The schemas of the contract as JSON Schema, for the documents that are made from them. Pure. */
import { z } from 'zod'
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'

export type Json = Record<string, unknown>
/** Named schemas of a document, under `#/components/schemas`. */
export type Components = Record<string, Json>

/** JSON Schema as people read it: without the bounds of safe integers, which say nothing about the field. */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  return z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      // A reply may gain fields; a client that refuses them would break with every release.
      if (io === 'output' && jsonSchema.additionalProperties === false) {
        delete jsonSchema.additionalProperties
      }
    },
  }) as Json
}

/**
 * The schema with its named parts moved to `components`. What a caller may leave out differs from what a reply
 * always has, so a name on the way in gets `Input` appended, unless it can only be one (`…Draft`, `…Change`).
 */
export function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: Components): Json {
  const nameOf = (name: string) =>
    io === 'input' && !/(Draft|Change)$/.test(name) ? `${name}Input` : name
  const moved = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(moved)
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(
      Object.entries(part).map(([key, value]) =>
        key === '$ref' && typeof value === 'string'
          ? [key, `#/components/schemas/${nameOf(value.replace('#/$defs/', ''))}`]
          : [key, moved(value)],
      ),
    )
  }
  const { $schema: _, $defs, ...body } = jsonSchemaOf(schema, io)
  for (const [name, part] of Object.entries(($defs ?? {}) as Json)) {
    components[nameOf(name)] = moved(part) as Json
  }
  return moved(body) as Json
}

/** `call.inbound.received` as `CallInboundReceived`. */
export const eventName = (type: EventType) =>
  type.replace(/(?:^|[._])(\w)/g, (_, letter: string) => letter.toUpperCase())

/** The shape of each event under its own name, and of any event as `Event`. */
export function addEvents(components: Components): void {
  const mapping: Record<string, string> = {}
  for (const type of eventTypes) {
    const name = eventName(type)
    components[name] = schemaOf(eventCatalogue[type].schema, 'output', components)
    mapping[type] = `#/components/schemas/${name}`
  }
  components.Event = {
    description: 'An event in the native form.',
    oneOf: Object.values(mapping).map(($ref) => ({ $ref })),
    discriminator: { propertyName: 'type', mapping },
  }
}
