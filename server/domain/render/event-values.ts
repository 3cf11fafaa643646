/** Values of an event by their paths. */

/** An event as it was stored: perhaps by an older version, so that nothing is taken for granted. */
export type StoredEventObject = Readonly<Record<string, unknown>>

/** Null: the event does not have the field, or no value in it. */
export function valueAt(event: StoredEventObject, path: string): unknown {
  let at: unknown = event
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return null
    at = (at as StoredEventObject)[step]
  }
  return at ?? null
}

/**
 * A value as text: in a query, a form, a header, a path. Switches are True and False, lists have commas between, as the
 * documents of the hosted products have it; no value is empty text.
 */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (isListOfPlain(value)) return value.map(textOf).join(',')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

export function isListOfPlain(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.every((one) => typeof one !== 'object' || one === null)
}
