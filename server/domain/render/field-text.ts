import { partsOf } from '#contracts/webhook/field-text.ts'
import { type StoredEventObject, textOf, valueAt } from '#server/domain/render/event-values.ts'

/** Puts the values of an event into a text with fields; `shown`: how one value stands there. */
export type FieldText = (event: StoredEventObject, shown?: (path: string) => string) => string

export function prepareFieldText(text: string): FieldText {
  const parts = partsOf(text)
  if (parts.every((part) => 'text' in part)) return () => text
  return (event, shown = (path) => textOf(valueAt(event, path))) =>
    parts.map((part) => ('text' in part ? part.text : shown(part.field))).join('')
}
