import { expect, test } from 'vitest'
import type { Event } from '#contracts/events/catalogue.ts'
import { eventSamples } from '#contracts/events/samples.ts'
import { type FilterName, type Filters, noFilters } from '#contracts/webhook/filters.ts'
import { filterConcerns, prepareFilters } from '#server/domain/filter.ts'
import { whyInVain } from '#server/domain/filters-in-vain.ts'
import { deriveTrace, traces } from '#test/traces/read-trace.ts'

const uuidOf = (extension: string) => `00000000-0000-4000-8000-${extension.padStart(12, '0')}`

/** The recordings have no PBX document: users get a UUID here, so that the filter on them can let them through. */
function withUser(event: Event): Event {
  if (!('user' in event) || event.user === null) return event
  return { ...event, user: { ...event.user, uuid: uuidOf(event.user.extension_number) } } as Event
}

const extensions = ['201', '202', '203', '204', '600', '700', '701', '800']
const values: Record<Exclude<FilterName, 'min_duration' | 'numbers'>, readonly string[]> = {
  call_types: ['inbound', 'outbound', 'internal'],
  users: extensions.map(uuidOf),
  extensions,
  queues: ['sales', 'support', '700', '701'],
  ring_groups: ['600', 'front-desk'],
  ivrs: ['main', 'load'],
  ivr_options: ['1', '2', '3', '7', '8', '9'],
  statuses: ['answered', 'missed', 'busy', 'canceled', 'failed', 'voicemail'],
}
const filters = Object.entries(values).flatMap(([name, list]) =>
  list.map((value) => ({
    name: name as FilterName,
    value,
    filters: { ...noFilters, [name]: [value] } satisfies Filters,
  })),
)

test('no recorded event passes a filter that is said to let none of its type through', async () => {
  const recorded = (await Promise.all(traces.map(deriveTrace))).flatMap(({ events }) => events)
  const events = [...recorded, ...Object.values(eventSamples)].map(withUser)
  const passed = new Set<string>()
  for (const { name, value, filters: set } of filters) {
    const stops = prepareFilters(set)
    for (const event of events) {
      if (!filterConcerns(name, event.type) || stops?.(event, null) !== null) continue
      passed.add(`${name} ${value}`)
      expect(whyInVain(event.type, name, set), `${event.type} ${name} ${value}`).toBeNull()
    }
  }
  // Each value is one that was met: a filter that nothing ever passes would hold nothing.
  const met = (name: FilterName) => [...passed].filter((text) => text.startsWith(`${name} `)).length
  for (const name of Object.keys(values)) expect(met(name as FilterName), name).toBeGreaterThan(1)
  const said = events.filter(({ type }) => filters.some((f) => whyInVain(type, f.name, f.filters)))
  const types = new Set(said.map(({ type }) => type))
  expect([...types].filter((type) => !recorded.some((event) => event.type === type))).toEqual([])
})
