import { z } from 'zod'
import { type Event, EventTypeName } from '#contracts/events/catalogue.ts'

/**
 * An event as it was stored. Not parsed again on its way out: an event that an older version stored must stay
 * readable. `server/http/openapi.ts` documents it as one of the catalogue's shapes.
 */
export const StoredEvent = z.any().meta({ id: 'Event' }) as z.ZodType<Event>

export const EventFieldInfo = z
  .object({
    path: z.string().meta({ description: 'Where it stands in the native event.' }),
    label: z.string(),
    aliases: z.array(z.string()).meta({ description: 'Its names in the hosted products.' }),
    description: z.string(),
    type: z.string().meta({
      description: 'text, integer, boolean, time, choice, list, object; null: never a value.',
    }),
    unit: z.string().nullable(),
    nullable: z.boolean().meta({
      description: 'Whether it is null in some events of the types that were asked for.',
    }),
    triggers: z.array(EventTypeName).meta({ description: 'The types of event that have it.' }),
  })
  .meta({ id: 'EventFieldInfo' })
export type EventFieldInfo = z.infer<typeof EventFieldInfo>

export const EventTypeInfo = z
  .object({
    type: EventTypeName,
    label: z.string(),
    description: z.string(),
    scope: z.enum(['account', 'service']),
    also_called: z
      .array(z.string())
      .meta({ description: 'Further names of the trigger in the hosted products.' }),
    phone_cloud: z
      .object({
        type: z.string().meta({ description: 'What the variable `type` says.' }),
        sample: z
          .record(z.string(), z.unknown())
          .meta({ description: 'The body of the request of that event.' }),
        fields: z
          .array(
            z.object({
              name: z.string(),
              type: z.string(),
              unit: z.string().nullable(),
              nullable: z.boolean(),
              description: z.string(),
            }),
          )
          .meta({ description: 'Its variables, in their order.' }),
      })
      .nullable()
      .meta({ description: 'The event in the Phone Cloud format; null: that has no such event.' }),
    fields: z.array(
      z.object({
        path: z.string(),
        label: z.string(),
        aliases: z.array(z.string()),
        description: z.string(),
        type: z.string(),
        unit: z.string().nullable(),
        nullable: z.boolean(),
      }),
    ),
    sample: z.unknown().meta({ description: 'One event of the type, in the native form.' }),
    schema: z.record(z.string(), z.unknown()).meta({ description: 'JSON Schema, draft 2020-12.' }),
  })
  .meta({ id: 'EventTypeInfo' })
export type EventTypeInfo = z.infer<typeof EventTypeInfo>
