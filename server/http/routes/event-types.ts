import { api } from '#contracts/api.ts'
import type { EventTypeInfo } from '#contracts/event-type.ts'
import { type EventType, eventCatalogue, eventTypes } from '#contracts/events/catalogue.ts'
import { listEventFields } from '#contracts/events/fields.ts'
import { phoneCloudFormats } from '#contracts/events/phone-cloud.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { phoneCloudPairs } from '#server/domain/render/phone-cloud.ts'
import { jsonSchemaOf } from '#server/http/schemas.ts'
import { type Serving, serve } from '#server/http/serve.ts'

/** The catalogue as the API shows it; it cannot change while the program runs. */
function catalogue(): readonly EventTypeInfo[] {
  return eventTypes.map((type) => {
    const { label, description, scope, seedTriggers, schema } = eventCatalogue[type]
    return {
      type,
      label,
      description,
      scope,
      also_called: [...seedTriggers],
      phone_cloud: phoneCloudInfo(type),
      fields: listEventFields([type]).map(({ triggers: _, ...field }) => ({
        ...field,
        aliases: [...field.aliases],
      })),
      sample: eventSamples[type],
      schema: jsonSchemaOf(schema, 'output'),
    }
  })
}

function phoneCloudInfo(type: EventType): EventTypeInfo['phone_cloud'] {
  const format = phoneCloudFormats.get(type)
  if (format === undefined) return null
  return {
    type: format.type,
    sample: Object.fromEntries(phoneCloudPairs(eventSamples[type])),
    fields: format.fields.map(({ source: _, ...field }) => field),
  }
}

export function serveEventTypes(serving: Serving): void {
  const items = [...catalogue()]
  serve(serving, api.listEventTypes, async () => ({ items }))
}
