import { api } from '#contracts/api.ts'
import type { EventTypeInfo } from '#contracts/event-type.ts'
import { eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { listEventFields } from '#contracts/events/fields.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { jsonSchemaOf } from '#server/http/schemas.ts'
import { type Serving, serve } from '#server/http/serve.ts'

/** The catalogue as the API shows it; it cannot change while the program runs. */
function catalogue(): readonly EventTypeInfo[] {
  return eventTypes.map((type) => {
    const { label, description, scope, seedTriggers, phoneCloudType, schema } = eventCatalogue[type]
    return {
      type,
      label,
      description,
      scope,
      also_called: [...seedTriggers],
      phone_cloud_type: phoneCloudType,
      fields: listEventFields([type]).map(({ triggers: _, ...field }) => ({
        ...field,
        aliases: [...field.aliases],
      })),
      sample: eventSamples[type],
      schema: jsonSchemaOf(schema, 'output'),
    }
  })
}

export function serveEventTypes(serving: Serving): void {
  const items = [...catalogue()]
  serve(serving, api.listEventTypes, async () => ({ items }))
}
