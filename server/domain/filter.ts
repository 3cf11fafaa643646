/**
 * Whether a webhook's filters let an event through. Pure, and the same for acceptance, replay, preview and "why did
 * this not fire?".
 */
import type { Event, EventType } from '#contracts/events/catalogue.ts'
import { eventFields } from '#contracts/events/field-names.ts'
import { type FilterName, type Filters, noFilters } from '#contracts/webhook/filters.ts'
import { numberKeysOf, searchKeysOf } from '#server/domain/events/number-keys.ts'

/**
 * Why the event is stopped, as a sentence with both values; null: it is let through. `country` is that of the event's
 * service (ISO 3166): numbers of the filter may be written as they are dialled there.
 */
export type PreparedFilters = (event: Event, country: string | null) => string | null

/** Null: nothing is filtered, and the event need not be looked at. */
export function prepareFilters(filters: Filters): PreparedFilters | null {
  const steps = filtersSet(filters).map((name) => ({
    types: typesWith(rules[name].fields),
    stops: prepareStep(filters, name),
  }))
  if (steps.length === 0) return null
  return (event, country) => {
    for (const { types, stops } of steps) {
      if (!types.has(event.type)) continue
      const says = stops(event, country)
      if (says !== null) return says
    }
    return null
  }
}

const filterNames = Object.keys(noFilters) as FilterName[]

/** The filters that restrict anything. */
export function filtersSet(filters: Filters): readonly FilterName[] {
  return filterNames.filter((name) => {
    const value = filters[name]
    return typeof value === 'number' ? value > 0 : value.length > 0
  })
}

/** Types of event that have one of the fields, by the catalogue. */
function typesWith(fields: readonly string[]): ReadonlySet<EventType> {
  return new Set(fields.flatMap((path) => eventFields.get(path)?.triggers ?? []))
}

/** Whether events of the type have what the filter asks for, so that it can stop them. */
export function filterConcerns(name: FilterName, type: EventType): boolean {
  return typesWith(rules[name].fields).has(type)
}

interface Rule {
  /** Paths of the catalogue: events of a type that has none of them are let through. */
  readonly fields: readonly string[]
  /** What the event has of it. */
  readonly had: (event: Event) => readonly string[]
  /** How the sentence goes on where the event has none. */
  readonly none: string
  /** And where it has another, before the values. */
  readonly other: string
}

const present = (...values: readonly (string | null | undefined)[]): readonly string[] =>
  values.filter((value) => value !== null && value !== undefined)

const callOf = (event: Event) => ('call' in event ? event.call : null)
const durationOf = (event: Event) =>
  'part' in event
    ? event.part.duration
    : 'call' in event && 'duration' in event.call
      ? event.call.duration
      : null

const rules: Record<FilterName, Rule> = {
  call_types: {
    fields: ['call.direction'],
    had: (event) => present(callOf(event)?.direction),
    none: 'the event has none',
    other: 'the call was',
  },
  users: {
    fields: ['user.uuid'],
    had: (event) => present('user' in event ? event.user?.uuid : null),
    none: 'the event has no user that Offhook knows',
    other: 'the event was of',
  },
  extensions: {
    fields: ['user.extension_number'],
    had: extensionsOf,
    none: 'the event is of no user',
    other: 'the event was of',
  },
  numbers: {
    fields: ['call.source.raw'],
    had: (event) => ('call' in event ? numberKeysOf(event.call) : []),
    none: 'the call has no number',
    other: 'the call had',
  },
  queues: {
    fields: ['queue.name'],
    had: (event) => present('queue' in event ? event.queue?.name : null),
    none: 'the call was in none',
    other: 'the call was in',
  },
  ring_groups: {
    fields: ['ring_group.name'],
    had: (event) => present('ring_group' in event ? event.ring_group?.name : null),
    none: 'the call was in none',
    other: 'the call was in',
  },
  ivrs: {
    fields: ['ivr.name'],
    had: (event) => present('ivr' in event ? event.ivr?.name : null),
    none: 'the call was in none',
    other: 'the call was in',
  },
  ivr_options: {
    fields: ['ivr.option'],
    had: (event) => present('ivr' in event ? event.ivr?.option : null),
    none: 'the caller chose none',
    other: 'the caller chose',
  },
  statuses: {
    fields: ['call.status'],
    had: (event) => present('call' in event && 'status' in event.call ? event.call.status : null),
    none: 'the call has none',
    other: 'the call was',
  },
  min_duration: {
    fields: ['call.duration', 'part.duration'],
    had: (event) => present(durationOf(event)?.toString()),
    none: 'the event has none',
    other: 'it was',
  },
}

/**
 * The event's user. An event of nobody in particular is of all who had a part in it: the caller, the one that was
 * dialled, those whose phones rang.
 */
function extensionsOf(event: Event): readonly string[] {
  if (!('user' in event)) return []
  if (event.user !== null) return [event.user.extension_number]
  if (!('call' in event)) return []
  const { direction, source, destination } = event.call
  return [
    ...new Set([
      ...(direction === 'inbound' ? [] : present(source.raw)),
      ...(direction === 'internal' ? present(destination.raw) : []),
      ...rangIn(event),
    ]),
  ]
}

function rangIn(event: Event): readonly string[] {
  switch (event.type) {
    case 'call.ended':
      return present(...event.legs.map((leg) => leg.extension_number))
    case 'queue.call.summary':
      return event.queue.agents_tried.map((tried) => tried.extension_number)
    case 'ring_group.call.summary':
      return event.ring_group.members_tried.map((tried) => tried.extension_number)
    default:
      return []
  }
}

function prepareStep(filters: Filters, name: FilterName): PreparedFilters {
  if (name === 'min_duration') return atLeast(filters.min_duration)
  const { had } = rules[name]
  const wanted: readonly string[] = filters[name]
  const keysIn = name === 'numbers' ? numberKeysIn(wanted) : keysAnywhere(wanted)
  return (event, country) => {
    const found = had(event)
    const keys = keysIn(country)
    return found.some((value) => keys.has(value)) ? null : stopped(name, listed(wanted), found)
  }
}

function atLeast(seconds: number): PreparedFilters {
  return (event) => {
    const duration = durationOf(event)
    if (duration !== null && duration >= seconds) return null
    const found = duration === null ? [] : [`${duration} s`]
    return stopped('min_duration', `${seconds} s`, found)
  }
}

function keysAnywhere(wanted: readonly string[]): () => ReadonlySet<string> {
  const keys = new Set(wanted)
  return () => keys
}

/** As they are written, by the country that they are dialled in: made once for each, since each takes 0.1 ms to read. */
function numberKeysIn(wanted: readonly string[]): (country: string | null) => ReadonlySet<string> {
  const byCountry = new Map<string | null, ReadonlySet<string>>()
  return (country) => {
    const known = byCountry.get(country)
    if (known !== undefined) return known
    const countries = country === null ? [] : [country]
    const keys = new Set(wanted.flatMap((text) => searchKeysOf(text, countries)))
    byCountry.set(country, keys)
    return keys
  }
}

function stopped(name: FilterName, wants: string, found: readonly string[]): string {
  const { none, other } = rules[name]
  const but = found.length === 0 ? none : `${other} ${listed(found)}`
  return `The filter on ${name} wants ${wants}; ${but}.`
}

const mostListed = 10

function listed(values: readonly string[]): string {
  const shown = values.slice(0, mostListed).join(', ')
  const more = values.length - mostListed
  return more > 0 ? `${shown} and ${more} more` : shown
}
