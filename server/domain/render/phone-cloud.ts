/** The Phone Cloud wire format: flat, by its names, in its order. */
import { type PhoneCloudField, phoneCloudFormats } from '#contracts/events/phone-cloud.ts'
import { type StoredEventObject, valueAt } from '#server/domain/render/event-values.ts'
import type { Pairs } from '#server/domain/render/mapped.ts'

/** None for a type that the format does not have: such a trigger is refused when the webhook is saved. */
export function phoneCloudPairs(event: StoredEventObject): Pairs {
  const fields = phoneCloudFormats.get(String(event.type))?.fields ?? []
  return fields.map(({ name, source }) => [name, sentValue(event, source)])
}

function sentValue(event: StoredEventObject, source: PhoneCloudField['source']): unknown {
  if ('always' in source) return source.always
  if ('at' in source) return valueAt(event, source.at)
  const value = valueAt(event, source.listOf)
  return value === null ? [] : [value]
}
