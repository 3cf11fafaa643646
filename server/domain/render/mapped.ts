/** The mapped payload: chosen values under the administrator's own request keys. */
import { eventFields } from '#contracts/events/field-names.ts'
import type { MappedField, MappedPayload } from '#contracts/webhook/payload.ts'
import {
  isListOfPlain,
  type StoredEventObject,
  textOf,
  valueAt,
} from '#server/domain/render/event-values.ts'
import { prepareFieldText } from '#server/domain/render/field-text.ts'
import { formattedTime } from '#server/domain/render/times.ts'

/** Request keys and their values, as JSON has them, in the order in which they are sent. */
export type Pairs = readonly (readonly [key: string, value: unknown])[]

export function prepareMapped(payload: MappedPayload): (event: StoredEventObject) => Pairs {
  const values = payload.fields.map((field) => ({
    key: field.key,
    sentIn: prepareValue(field, payload),
  }))
  return (event) => {
    const pairs = values.map(({ key, sentIn }) => [key, sentIn(event)] as const)
    return payload.absent === 'omit' ? pairs.filter(([, value]) => value !== null) : pairs
  }
}

function prepareValue(
  { field, value }: MappedField,
  payload: MappedPayload,
): (event: StoredEventObject) => unknown {
  if (field !== null) return (event) => sentValue(event, field, payload)
  const text = prepareFieldText(value ?? '')
  return (event) => text(event, (path) => textOf(sentValue(event, path, payload)))
}

function sentValue(event: StoredEventObject, path: string, payload: MappedPayload): unknown {
  const value = valueAt(event, path)
  if (typeof value === 'string' && eventFields.get(path)?.type === 'time') {
    return formattedTime(value, payload)
  }
  // The seeds' form: a comma-separated list of call types.
  return isListOfPlain(value) ? textOf(value) : value
}

/** A map keeps its order, also of keys that are numbers, which objects put first. */
type Branch = Map<string, unknown>

/** One JSON object. `nested`: `caller.number` is `number` in the object `caller`. */
export function jsonOf(pairs: Pairs, nested: boolean): string {
  if (!nested) return objectOf(pairs)
  const body: Branch = new Map()
  for (const [key, value] of pairs) {
    const steps = key.split('.')
    const last = steps.pop() ?? key
    let at = body
    for (const step of steps) {
      const next = at.get(step)
      const branch: Branch = next instanceof Map ? next : new Map()
      at.set(step, branch)
      at = branch
    }
    at.set(last, value)
  }
  return objectOf(body)
}

function objectOf(entries: Iterable<readonly [string, unknown]>): string {
  const texts: string[] = []
  for (const [key, value] of entries) {
    const text = value instanceof Map ? objectOf(value) : JSON.stringify(value)
    texts.push(`${JSON.stringify(key)}:${text}`)
  }
  return `{${texts.join(',')}}`
}
