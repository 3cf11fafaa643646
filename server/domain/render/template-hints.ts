/** What a template reads and no event has, or none of this type: allowed, empty, and most likely not meant. */
import type { EventType } from '#contracts/events/catalogue.ts'
import { eventFields, unknownField } from '#contracts/events/field-names.ts'
import type { TemplatePayload } from '#contracts/webhook/payload.ts'
import { templateVariables } from '#server/domain/render/template.ts'

/** Every field, and every object on the way to one, with the types of event that have something there. */
const known: ReadonlyMap<string, ReadonlySet<EventType>> = (() => {
  const paths = new Map<string, Set<EventType>>()
  for (const { path, triggers } of eventFields.values()) {
    const steps = path.split('.')
    steps.forEach((_, i) => {
      const place = steps.slice(0, i + 1).join('.')
      const types = paths.get(place) ?? new Set()
      for (const type of triggers) types.add(type)
      paths.set(place, types)
    })
  }
  return paths
})()

/** Properties that Liquid gives to every text and list. */
const ofLiquid = new Set(['size', 'first', 'last'])

/**
 * Sentences, each once, in the order of the template. Takes as long as parsing does, so it is done where templates are
 * rendered. A template that cannot be parsed has none.
 */
export function templateHints(payload: TemplatePayload, type: EventType): readonly string[] {
  const hints = templateVariables(payload).map((segments) => hintOf(segments, type))
  return [...new Set(hints.filter((hint) => hint !== null))]
}

function hintOf(segments: readonly unknown[], type: EventType): string | null {
  // Up to an index, or what another variable says.
  const dynamic = segments.findIndex((segment) => typeof segment !== 'string')
  const names = (dynamic === -1 ? segments : segments.slice(0, dynamic)) as readonly string[]
  let path = ''
  for (const segment of names) {
    const next = path === '' ? segment : `${path}.${segment}`
    if (!known.has(next)) {
      if (endsAt(path, segment)) break
      return `${unknownField(names.join('.'))} (it is empty there)`
    }
    path = next
  }
  return known.get(path)?.has(type) === false
    ? `${type} never has ${path}: it is empty there`
    : null
}

/** Whether what follows is not told by the catalogue: elements of lists, parameters of components. */
function endsAt(path: string, segment: string): boolean {
  const field = eventFields.get(path)
  if (field === undefined) return false
  return field.type === 'list' || field.type === 'object' || ofLiquid.has(segment)
}
